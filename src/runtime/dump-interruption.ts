/** Requests to end, by signal, that come while CRIU writes a container down. */
import type { Fd } from "../sys/fd.ts";
import { Interruption } from "./interruption.ts";

/**
 * Holds them back. CRIU has its own code in the container's processes meanwhile and keeps them from running: to the first request it is
 * told to give up when it next asks, and undoes all that itself. By a second, whoever sends it says that this takes too long: CRIU is killed then, which a process may not survive.
 */
export class DumpInterruption {
  readonly #signals = Interruption.ofDetached();
  #first: Error | null = null;

  /** Waits until a descriptor can be read. @throws {Error} at a second request */
  waitFor(fd: Fd): void {
    try {
      this.#signals.waitFor(fd);
    } catch (error) {
      if (this.#first !== null) throw error;
      this.#first = error as Error;
      this.waitFor(fd);
    }
  }

  /** @throws {Error} when there has been a request */
  check(): void {
    const request = this.#signals.received();
    if (request !== null) this.#first ??= new Error(request);
    if (this.#first !== null) throw this.#first;
  }

  /** Whether an error says that there was a request. */
  get requested(): boolean {
    return this.#first !== null;
  }
}
