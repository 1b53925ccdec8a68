/** Processes of several that could not be signalled: the others are, and then it is said which were not. */
import { ERRNO } from "./errno.ts";
import { SyscallError } from "./error.ts";

/** How many pids an error names. */
const MOST_NAMED = 10;

/** What befell the latest try with each. */
export class SignalFailures {
  readonly #errnos = new Map<number, number>();

  constructor(readonly signal: number) {}

  /**
   * Tries one.
   * @param send returns false for a process that is gone
   * @returns whether there was a process, and it was signalled
   */
  try(pid: number, send: () => boolean): boolean {
    try {
      this.#errnos.delete(pid);
      return send();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#errnos.set(pid, error.errno);
      return false;
    }
  }

  has(pid: number): boolean {
    return this.#errnos.has(pid);
  }

  /** @throws {SyscallError} where there are any */
  throwIfAny(): void {
    if (this.#errnos.size === 0) return;
    const pids = [...this.#errnos.keys()];
    const named = pids.slice(0, MOST_NAMED).join(", ");
    const more = pids.length > MOST_NAMED ? ` and ${pids.length - MOST_NAMED} more` : "";
    const whom = pids.length === 1 ? `process ${named}` : `processes ${named}${more}`;
    // Of several reasons the one that somebody with more rights can do something about.
    const errnos = [...this.#errnos.values()];
    const errno = errnos.find((one) => one === ERRNO.EPERM) ?? (errnos[0] as number);
    throw new SyscallError(`kill ${whom} with signal ${this.signal}`, errno);
  }
}
