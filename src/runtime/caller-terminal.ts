/** The terminal that the caller sits at: made raw while a container's terminal is shown on it. */

import { SyscallError } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { readText } from "../sys/file.ts";
import {
  getModes,
  isTerminal,
  rawModes,
  setModes,
  type TerminalModes,
  type WindowSize,
  windowSize,
} from "../sys/tty.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** Declared with `using`, it gives the caller's terminal its modes back at the end of the block. */
export class CallerTerminal implements Disposable {
  readonly #opened: Fd | null;
  /** Where the size is read; `null` where there is no terminal at all. */
  readonly #screen: number | null;
  readonly #keyboard: number | null;
  #before: TerminalModes | null = null;

  constructor() {
    const shared = [STDERR, STDOUT, STDIN].find(isTerminal);
    this.#opened = shared === undefined ? openControllingTerminal() : null;
    this.#screen = shared ?? this.#opened?.number ?? null;
    // Where stdin is something else, keys typed still have to make signals: nobody would read them.
    this.#keyboard = isTerminal(STDIN) ? STDIN : null;
  }

  /**
   * Makes the terminal raw, unless it is another job's now. Called again after SIGCONT, since a shell may have changed
   * the modes while this process was stopped or in the background.
   */
  enterRaw(): void {
    const keyboard = this.#keyboard;
    if (keyboard === null || inBackground()) return;
    ignoringLoss(() => {
      this.#before ??= getModes(keyboard);
      setModes(keyboard, rawModes(this.#before));
    });
  }

  /** The size of the terminal, `null` where it is not known. */
  size(): WindowSize | null {
    if (this.#screen === null) return null;
    const size = ignoringLoss(() => windowSize(this.#screen as number));
    return size !== null && size.rows > 0 && size.columns > 0 ? size : null;
  }

  [Symbol.dispose](): void {
    const keyboard = this.#keyboard;
    const before = this.#before;
    if (keyboard !== null && before !== null) ignoringLoss(() => setModes(keyboard, before));
    this.#opened?.close();
  }
}

function openControllingTerminal(): Fd | null {
  try {
    return open("/dev/tty", O.RDONLY | O.NOCTTY);
  } catch {
    return null;
  }
}

/** Whether a shell has put this process in the background of its terminal. @see proc_pid_stat(5), pgrp and tpgid */
function inBackground(): boolean {
  const text = readText("/proc/self/stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const group = Number(fields[2]);
  const foreground = Number(fields[5]);
  return foreground > 0 && foreground !== group;
}

/** The terminal may be hung up at any moment: then there is nothing left to do for it. */
function ignoringLoss<T>(action: () => T): T | null {
  try {
    return action();
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
