/** What a container's init can do. */
import { describeStep, type InitStep } from "../plan/plan.ts";
import type { StepHandlers } from "./init.ts";
import { lifecycleHandlers } from "./lifecycle.ts";
import { namespaceHandlers } from "./namespaces.ts";
import { networkHandlers } from "./network.ts";
import { processHandlers } from "./process.ts";
import { rootfsHandlers } from "./rootfs.ts";
import { seccompHandlers } from "./seccomp.ts";
import { terminalHandlers } from "./terminal.ts";

export const containerHandlers: StepHandlers<InitStep> = {
  handlers: {
    ...lifecycleHandlers,
    ...namespaceHandlers,
    ...networkHandlers,
    ...rootfsHandlers,
    ...processHandlers,
    ...seccompHandlers,
    ...terminalHandlers,
  },
  describe: describeStep,
};
