/** The process's terminal. */
import type { Process } from "../config/types.ts";
import type { Describers, StepBase } from "./step.ts";

/**
 * Makes a terminal in the container's devpts, the controlling one of this process's session and its standard streams,
 * and sends its master to the parent.
 */
export interface TerminalStep extends StepBase {
  kind: "open-terminal";
  consoleSize: { height: number; width: number } | null;
  /** Whether `/dev/console` of the container is to be this terminal. */
  bindConsole: boolean;
}

export const describeTerminal: Describers<TerminalStep> = {
  "open-terminal": ({ consoleSize, bindConsole }) => {
    const size = consoleSize === null ? "" : ` of ${consoleSize.width}x${consoleSize.height}`;
    return `open a terminal${size} in the container's /dev/pts${bindConsole ? ", and bind it on /dev/console" : ""}`;
  },
};

/**
 * Plans the terminal: after the mounts (and the pivot), while the root may still be written, as the leader of a session.
 * @param bindConsole for a container's first process, where it has a mount namespace of its own
 */
export function planTerminal(process: Process, bindConsole: boolean): TerminalStep[] {
  if (process.terminal !== true) return [];
  const size = process.consoleSize;
  const consoleSize =
    size !== undefined && size.height > 0 && size.width > 0
      ? { height: Number(size.height), width: Number(size.width) }
      : null;
  return [{ kind: "open-terminal", pointer: "/process/terminal", consoleSize, bindConsole }];
}
