/** What another process of a container can do: all but making mounts. */
import { describeExecStep, type ExecStep } from "../plan/exec.ts";
import type { StepHandlers } from "./init.ts";
import { lifecycleHandlers } from "./lifecycle.ts";
import { namespaceHandlers } from "./namespaces.ts";
import { processHandlers } from "./process.ts";
import { seccompHandlers } from "./seccomp.ts";
import { terminalHandlers } from "./terminal.ts";

export const execHandlers: StepHandlers<ExecStep> = {
  handlers: { ...lifecycleHandlers, ...namespaceHandlers, ...processHandlers, ...seccompHandlers, ...terminalHandlers },
  describe: describeExecStep,
};
