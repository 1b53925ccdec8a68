/** Waiting for descriptors. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

/** What to wait for, and what was seen. @see poll(2) */
export const POLL = { IN: 1, PRI: 2, OUT: 4, ERR: 8, HUP: 16, NVAL: 32 } as const;

/** A descriptor and the events to wait for. */
export interface PollEntry {
  fd: number;
  events: number;
}

/**
 * Waits until one of the descriptors is ready.
 * @param timeout milliseconds; `null` waits for ever
 * @returns for each entry, the events seen (0 for none); all 0 after a timeout or an interrupting signal
 * @throws {SyscallError} `ppoll`
 */
export function poll(entries: readonly PollEntry[], timeout: number | null = null): number[] {
  // struct pollfd: fd, and in the upper word events and revents
  const memory = new Int32Array(2 * entries.length);
  entries.forEach(({ fd, events }, index) => {
    memory[2 * index] = fd;
    memory[2 * index + 1] = events;
  });
  const limit = timeout === null ? 0 : timespec(timeout);
  const result = syscall("ppoll", memory, entries.length, limit, null);
  const EINTR = 4;
  if (result === -EINTR) return entries.map(() => 0);
  check(result, "ppoll");
  return entries.map((_, index) => (memory[2 * index + 1] as number) >>> 16);
}

function timespec(milliseconds: number): BigInt64Array {
  const result = new BigInt64Array(2); // seconds, nanoseconds
  if (milliseconds <= 0) return result;
  const seconds = Math.floor(milliseconds / 1000);
  result[0] = BigInt(seconds);
  result[1] = BigInt(Math.round((milliseconds - seconds * 1000) * 1e6));
  return result;
}
