/**
 * The parent's side of a start, in the same form as the init's: steps in order, as plain data. Those here are of any process that is
 * started; what only a new container takes is in `parent-container.ts`, what only another process takes in `exec.ts`.
 */
import type { HostProcessStep } from "./host-process.ts";
import { describeHostProcess } from "./host-process.ts";
import type { Describers, StepBase } from "./step.ts";

/** Who gets a pidfd of the process: what named the socket. */
export type PidfdReceiver = "--pidfd-socket" | "run.oci.pidfd_receiver";

export type ParentStep =
  | HostProcessStep
  /** Ends the process's `wait-for-parent`. */
  | (StepBase & { kind: "admit" })
  /** Nothing is left that it has to wait for: it need not ask, which takes a third of a millisecond. */
  | (StepBase & { kind: "allow" })
  /** Does what the process asks for until it wants its parent's hooks, or is set up. */
  | (StepBase & { kind: "answer"; until: "hooks" | "ready" })
  | (StepBase & { kind: "send-pidfd"; to: PidfdReceiver; path: string })
  | (StepBase & { kind: "write-pid-file"; path: string })
  /** From here on the process may outlive its parent. */
  | (StepBase & { kind: "let-go" });

/** How the caller stays connected to the process. */
export interface Connections {
  /** Absolute path. */
  pidFile?: string;
  pidfdSockets: readonly { to: PidfdReceiver; path: string }[];
}

/** What is told of the process when it is set up. */
export function planReports({ pidFile, pidfdSockets }: Connections): ParentStep[] {
  return [
    ...pidfdSockets.map(({ to, path }): ParentStep => ({ kind: "send-pidfd", to, path })),
    ...(pidFile ? [{ kind: "write-pid-file", path: pidFile } as const] : []),
  ];
}

export const describeParent: Describers<ParentStep> = {
  ...describeHostProcess,
  admit: () => "let the process enter its cgroups, and go on",
  allow: () => "let the process go on when it is set up",
  answer: ({ until }) => `answer the process until it ${until === "hooks" ? "waits for the hooks" : "is set up"}`,
  "send-pidfd": ({ to, path }) => `send a pidfd to ${path} (${to})`,
  "write-pid-file": ({ path }) => `write the pid to ${path}`,
  "let-go": () => "let the process go on by itself",
};
