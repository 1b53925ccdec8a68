/** Carries out the steps of the root filesystem. */
import type { RootfsStep } from "../plan/rootfs.ts";
import type { Actors } from "../plan/step.ts";
import type { InitContext } from "./context.ts";
import { deviceActors } from "./devices.ts";
import { mountActors } from "./mounts.ts";
import { protectActors } from "./protected-paths.ts";
import { rootActors } from "./root.ts";

export const rootfsActors: Actors<RootfsStep, InitContext> = {
  ...rootActors,
  ...mountActors,
  ...deviceActors,
  ...protectActors,
};
