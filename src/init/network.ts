/** Carries out the init's part of the network. */
import type { NetworkStep } from "../plan/network.ts";
import type { Handlers } from "../plan/step.ts";
import { setLoopbackUp } from "../sys/loopback.ts";
import type { InitContext } from "./context.ts";

export const networkHandlers: Handlers<NetworkStep, InitContext> = {
  "loopback-up": () => setLoopbackUp(),
};
