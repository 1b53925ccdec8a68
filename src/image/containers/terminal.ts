/**
 * A container's terminal: its monitor has the master, reads it as it does a fifo, and passes on what is typed by who is attached.
 *
 * Unlike fifos it does not outlive its monitor: when that is killed, the terminal hangs up, and the container's process gets SIGHUP.
 */

import { readSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { unlinkIfThere } from "../../sys/file.ts";
import { accept, listenAt, receiveMessage } from "../../sys/socket.ts";
import {
  getModes,
  isTerminal,
  rawModes,
  setModes,
  setWindowSize,
  windowSize,
  withoutOutputProcessing,
} from "../../sys/tty.ts";

/** Milliseconds between two looks at the size of the caller's terminal. */
export const SIZE_INTERVAL = 200;

/** A socket that gets the master of a terminal from the runtime. */
export class ConsoleSocket implements Disposable {
  readonly #directory: Fd;
  readonly #listener: Fd;
  /** Short enough for a socket's address, wherever the store is. */
  readonly path: string;

  /** @param directory the container's */
  constructor(directory: string) {
    this.#directory = open(directory, O.PATH | O.DIRECTORY);
    this.path = `/proc/${process.pid}/fd/${this.#directory.number}/console`;
    unlinkIfThere(this.path);
    this.#listener = listenAt(this.path);
  }

  /** @throws {Error} when nobody has sent one */
  master(): Fd {
    using connection = accept(this.#listener);
    const master = receiveMessage(connection.number, 4096)?.fds[0];
    if (master === undefined) throw new Error("the runtime has sent no terminal");
    return master;
  }

  [Symbol.dispose](): void {
    unlinkIfThere(this.path);
    this.#listener.close();
    this.#directory.close();
  }
}

/** What is typed at the caller's terminal, or comes from its standard input, on its way to a container's terminal. */
export class Keyboard {
  #pending: Uint8Array = new Uint8Array(0);
  #isOpen = true;

  /** @param input the caller's */
  constructor(
    readonly input: number,
    readonly master: Fd,
  ) {
    this.resize();
  }

  /** What to wait for: what is typed, or that it can be passed on; -1 for nothing. */
  get waitsFor(): { fd: number; isForOutput: boolean } {
    if (this.#pending.length > 0) return { fd: this.master.number, isForOutput: true };
    return { fd: this.#isOpen ? this.input : -1, isForOutput: false };
  }

  /** Passes on what there is. */
  move(): void {
    if (this.#pending.length === 0) this.#pending = this.#read();
    if (this.#pending.length === 0) return;
    const EAGAIN = 11;
    const written = syscall("write", this.master.number, this.#pending, this.#pending.length);
    if (written >= 0) this.#pending = this.#pending.subarray(written);
    else if (written !== -EAGAIN) this.close();
  }

  #read(): Uint8Array {
    const memory = Buffer.alloc(1024);
    try {
      const count = readSync(this.input, memory, 0, memory.length, null);
      if (count > 0) return memory.subarray(0, count);
    } catch (error) {
      if (hasErrno(error, "EAGAIN", "EINTR")) return memory.subarray(0, 0);
      if (!hasErrno(error, "EIO")) throw error;
    }
    this.close();
    return new Uint8Array(0);
  }

  /** Whoever was there has gone. */
  close(): void {
    this.#isOpen = false;
    this.#pending = new Uint8Array(0);
  }

  /** Makes the container's terminal as large as the caller's. */
  resize(): void {
    if (!this.#isOpen || !isTerminal(this.input)) return;
    const [wanted, now] = [windowSize(this.input), windowSize(this.master.number)];
    if (wanted.rows > 0 && (wanted.rows !== now.rows || wanted.columns !== now.columns))
      setWindowSize(this.master.number, wanted);
  }
}

/**
 * Makes the caller's own terminal raw, until the end of the block; another input is left as it is. What comes from the container's terminal has
 * its newlines translated already, so that nothing is done to output either.
 */
export function rawInput(): Disposable {
  if (!isTerminal(0)) return { [Symbol.dispose]() {} };
  const before = getModes(0);
  setModes(0, withoutOutputProcessing(rawModes(before)));
  return { [Symbol.dispose]: () => setModes(0, before) };
}
