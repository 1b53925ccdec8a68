/** The time that passes. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

const CLOCK_MONOTONIC = 1;

/**
 * Milliseconds since some moment before this process, whoever sets the machine's clock.
 *
 * Not `performance.now()`: that never goes back, and so stands still in a snapshot (`src/engine/standstill.ts`) until the machine has been up for as
 * long as the builder's had.
 * @see clock_gettime(2)
 */
export function monotonicTime(): number {
  const time = new BigInt64Array(2); // struct timespec: seconds, nanoseconds
  check(syscall("clock_gettime", CLOCK_MONOTONIC, time), "clock_gettime");
  return Number(time[0]) * 1e3 + Number(time[1]) / 1e6;
}
