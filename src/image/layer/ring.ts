/**
 * Bytes on their way from the event loop, which decompresses them, to the thread that writes files: shared memory of a few slots, filled
 * and emptied in turn. The writer waits for the loop by futex, the loop for the writer by a promise.
 */
import type { ByteSource } from "./byte-source.ts";

const SLOTS = 8;
const SLOT_BYTES = 256 * 1024;

/** Indices of the control words: slots filled and emptied so far, and how it ended; lengths of the slots after them. */
const FILLED = 0;
const EMPTIED = 1;
const END = 2;
const LENGTHS = 3;

const OPEN = 0;
const COMPLETE = 1;
const ABORTED = 2;

/** What the two threads share. */
export interface RingMemory {
  control: SharedArrayBuffer;
  slots: SharedArrayBuffer;
}

export function ringMemory(): RingMemory {
  return {
    control: new SharedArrayBuffer(4 * (LENGTHS + SLOTS)),
    slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES),
  };
}

/** The side that fills. */
export class RingWriter {
  readonly #control: Int32Array;
  readonly #slots: Uint8Array;

  constructor({ control, slots }: RingMemory) {
    this.#control = new Int32Array(control);
    this.#slots = new Uint8Array(slots);
  }

  /** Puts bytes in, when there is room. @returns `false` when the other side wants no more */
  async write(bytes: Uint8Array): Promise<boolean> {
    for (let rest = bytes; rest.length > 0; rest = rest.subarray(SLOT_BYTES)) {
      if (!(await this.#room())) return false;
      const filled = Atomics.load(this.#control, FILLED);
      const slot = filled % SLOTS;
      const part = rest.subarray(0, SLOT_BYTES);
      this.#slots.set(part, slot * SLOT_BYTES);
      this.#control[LENGTHS + slot] = part.length;
      Atomics.store(this.#control, FILLED, filled + 1);
      Atomics.notify(this.#control, FILLED);
    }
    return true;
  }

  async #room(): Promise<boolean> {
    for (;;) {
      if (Atomics.load(this.#control, END) !== OPEN) return false;
      const emptied = Atomics.load(this.#control, EMPTIED);
      if (Atomics.load(this.#control, FILLED) - emptied < SLOTS) return true;
      const wait = Atomics.waitAsync(this.#control, EMPTIED, emptied);
      if (wait.async) await wait.value;
    }
  }

  /** Says that there is no more. */
  end(): void {
    this.#finish(COMPLETE);
  }

  /** Has the other side's reading fail. */
  abort(): void {
    this.#finish(ABORTED);
  }

  #finish(state: number): void {
    Atomics.compareExchange(this.#control, END, OPEN, state);
    Atomics.notify(this.#control, FILLED);
    Atomics.notify(this.#control, EMPTIED);
  }
}

/** The side that empties fails with this when the other gave up. */
export class RingAborted extends Error {
  override name = "RingAborted";
}

/** The side that empties, waiting for bytes with its whole thread. */
export class RingReader implements ByteSource {
  readonly #control: Int32Array;
  readonly #slots: Uint8Array;
  #holds = false;

  constructor({ control, slots }: RingMemory) {
    this.#control = new Int32Array(control);
    this.#slots = new Uint8Array(slots);
  }

  next(): Uint8Array | null {
    this.#giveBack();
    for (;;) {
      // First how it ended: what was filled before counts.
      const end = Atomics.load(this.#control, END);
      const filled = Atomics.load(this.#control, FILLED);
      const emptied = Atomics.load(this.#control, EMPTIED);
      if (end === ABORTED) throw new RingAborted("the layer could not be read");
      if (filled !== emptied) {
        this.#holds = true;
        const slot = emptied % SLOTS;
        const from = slot * SLOT_BYTES;
        return this.#slots.subarray(from, from + (this.#control[LENGTHS + slot] as number));
      }
      if (end === COMPLETE) return null;
      // It may have ended between the two: no longer than this unnoticed.
      const MILLISECONDS = 50;
      Atomics.wait(this.#control, FILLED, filled, MILLISECONDS);
    }
  }

  #giveBack(): void {
    if (!this.#holds) return;
    this.#holds = false;
    Atomics.add(this.#control, EMPTIED, 1);
    Atomics.notify(this.#control, EMPTIED);
  }

  /** Wants no more. */
  close(): void {
    Atomics.compareExchange(this.#control, END, OPEN, ABORTED);
    Atomics.notify(this.#control, EMPTIED);
  }
}
