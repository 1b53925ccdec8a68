/** Copies bytes from one descriptor to another, never waiting for either. */
import { SyscallError } from "../sys/error.ts";
import { readSome, writeSome } from "../sys/io.ts";
import { POLL, type PollEntry } from "../sys/poll.ts";

/** No more than a pipe takes without waiting once poll(2) has called it writable; a terminal holds no more either. */
const CHUNK_BYTES = 4096;

/** What became of one {@link Pump.turn}. */
export type Turn =
  /** Bytes were moved, or there was nothing to move yet. */
  | { kind: "moved"; bytes: number }
  /** The source is at its end. */
  | { kind: "ended" }
  | { kind: "source-failed"; error: SyscallError }
  | { kind: "sink-failed"; error: SyscallError };

/** Holds at most one chunk: it reads nothing before the last chunk is written, so a slow reader slows the writer down. */
export class Pump {
  readonly #memory = new Uint8Array(CHUNK_BYTES);
  #pending: Uint8Array = this.#memory.subarray(0, 0);

  constructor(
    readonly source: number,
    readonly sink: number,
  ) {}

  /** Whether bytes were read that are not yet written. */
  get holdsBytes(): boolean {
    return this.#pending.byteLength > 0;
  }

  /** What to wait for before the next turn. */
  get wait(): PollEntry {
    return this.holdsBytes ? { fd: this.sink, events: POLL.OUT } : { fd: this.source, events: POLL.IN };
  }

  /** Reads a chunk where none is held, and writes as much of it as the sink takes. */
  turn(): Turn {
    if (!this.holdsBytes) {
      const length = attempt(() => readSome(this.source, this.#memory));
      if (length instanceof SyscallError) return { kind: "source-failed", error: length };
      if (length === null) return { kind: "moved", bytes: 0 };
      if (length === 0) return { kind: "ended" };
      this.#pending = this.#memory.subarray(0, length);
    }
    const written = attempt(() => writeSome(this.sink, this.#pending));
    if (written instanceof SyscallError) return { kind: "sink-failed", error: written };
    this.#pending = this.#pending.subarray(written ?? 0);
    return { kind: "moved", bytes: written ?? 0 };
  }
}

function attempt<T>(action: () => T): T | SyscallError {
  try {
    return action();
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
}
