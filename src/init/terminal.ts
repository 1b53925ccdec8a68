/** Carries out the steps of the terminal. */

import type { Handlers } from "../plan/step.ts";
import type { TerminalStep } from "../plan/terminal.ts";
import { bindDescriptor } from "../sys/bind.ts";
import { duplicateOnto, type Fd, O, open } from "../sys/fd.ts";
import { findLinkStat, fstat, isType } from "../sys/stat.ts";
import { openPty, setControllingTerminal, setWindowSize } from "../sys/tty.ts";
import type { InitContext } from "./context.ts";

const STDIO = [0, 1, 2];

export const terminalHandlers: Handlers<TerminalStep, InitContext> = {
  "open-terminal": openTerminal,
};

function openTerminal({ consoleSize, bindConsole }: TerminalStep, { channel }: InitContext): void {
  const { master, slave } = openPty("/dev/pts");
  if (consoleSize !== null) setWindowSize(master.number, { rows: consoleSize.height, columns: consoleSize.width });
  if (bindConsole) bindOnConsole(slave);
  channel.send({ type: "terminal" }, [master.number]);
  master.close();
  setControllingTerminal(slave.number);
  for (const fd of STDIO) duplicateOnto(slave.number, fd);
  if (!STDIO.includes(slave.number)) slave.close();
}

function bindOnConsole(slave: Fd): void {
  const path = "/dev/console";
  using target = openMountPoint(path);
  if (isType(fstat(target.number), "symlink")) {
    throw new Error(`${path} is a symbolic link: refusing to mount the terminal where it leads`);
  }
  bindDescriptor(slave, target, `the terminal on ${path}`);
}

/** Opens what is at a path without opening the device or following the link that it may be, and makes a file if there is nothing. */
function openMountPoint(path: string): Fd {
  if (findLinkStat(path) === null) {
    open(path, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o666).close();
  }
  return open(path, O.PATH | O.NOFOLLOW);
}
