/** Carries out the steps of the root filesystem. */
import type { RootfsStep } from "../plan/rootfs.ts";
import type { Handlers } from "../plan/step.ts";
import type { InitContext } from "./context.ts";
import { deviceHandlers } from "./devices.ts";
import { mountHandlers } from "./mounts.ts";
import { protectHandlers } from "./protected-paths.ts";
import { rootHandlers } from "./root.ts";

export const rootfsHandlers: Handlers<RootfsStep, InitContext> = {
  ...rootHandlers,
  ...mountHandlers,
  ...deviceHandlers,
  ...protectHandlers,
};
