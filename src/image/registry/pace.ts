/** The least that a server has to send, or to take, while somebody waits for it. */
import { monotonicTime } from "../../sys/clock.ts";

/** Bytes a second: what any line has carried for decades. */
const LEAST_RATE = 1024;

/** The bytes that are fast enough. @param patience milliseconds */
export function leastIn(patience: number): number {
  return (LEAST_RATE * patience) / 1000;
}

/** A server was too slow. */
export class PaceError extends Error {
  override readonly name = "PaceError";

  /** @param bytes that were moved @param patience milliseconds @param what became of them */
  constructor(bytes: number, patience: number, what: "come" | "taken" = "come") {
    const seconds = patience / 1000;
    const time = `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
    const done = what === "come" ? "come" : "been taken";
    super(
      bytes === 0
        ? `nothing has ${done} for ${time}`
        : `no more than ${bytes === 1 ? "1 byte has" : `${bytes} bytes have`} ${done} in ${time}`,
    );
  }
}

/**
 * What comes, as long as it comes fast enough: within `patience`, 1024 bytes for each second of that, or the end. What counts is the time in which
 * it is waited for, so whoever takes the chunks may take as long as they like. Nobody waits for what is given up: the caller ends the connection.
 * @param patience milliseconds
 * @throws {PaceError}
 */
export async function* atPace(chunks: AsyncIterable<Uint8Array>, patience: number): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const enough = leastIn(patience);
  let [waited, came] = [0, 0];
  let isWhole = false;
  try {
    while (!isWhole) {
      const began = monotonicTime();
      const next = await inTime(iterator.next(), patience - waited, () => new PaceError(came, patience));
      isWhole = next.done === true;
      if (next.done) return;
      waited += monotonicTime() - began;
      came += next.value.byteLength;
      if (came >= enough) [waited, came] = [0, 0];
      yield next.value;
    }
  } finally {
    // Not waited for: it may itself wait for what does not come.
    if (!isWhole) iterator.return?.().catch(() => {});
  }
}

/** What a promise gives, if it does so in time. @param time milliseconds @param late says what else is thrown */
export async function inTime<T>(promise: Promise<T>, time: number, late: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(0, time));
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
