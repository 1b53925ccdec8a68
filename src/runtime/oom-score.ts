/** The score by which the kernel chooses what to kill for want of memory. */

import { mustSyscall } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { readText } from "../sys/file.ts";
import { encode } from "../sys/text.ts";

/**
 * This process's own, for a child to inherit: when that has been born undumpable, its file in `/proc` is root's.
 * To be made while this process is dumpable itself.
 * @see proc_pid_oom_score_adj(5)
 */
export class OwnOomScore {
  readonly #before: string;
  readonly #file: Fd;

  constructor(private readonly value: number) {
    const path = "/proc/self/oom_score_adj";
    this.#before = readText(path).trim();
    this.#file = open(path, O.WRONLY);
  }

  /** @throws {Error} in the words of the step: EACCES for one that is lower than this process may have */
  set(): void {
    try {
      this.#write(String(this.value));
    } catch (error) {
      throw new Error(`set the process's oom_score_adj to ${this.value}: ${(error as Error).message}`);
    }
  }

  /** Sets what it was before. */
  restore(): void {
    this.#write(this.#before);
    this.#file.close();
  }

  #write(value: string): void {
    const text = encode(value);
    mustSyscall("write", this.#file.number, text, text.byteLength);
  }
}
