/** Trying again: after what, how often, and how long to wait before. */
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionError } from "./http.ts";
import { RegistryError } from "./registry-error.ts";

/** How patient a client is. */
export interface Patience {
  /** How often something is tried again that fails for a reason that may pass. */
  retries: number;
  /** Milliseconds before the first further try; each later one waits twice as long. */
  pause: number;
  /** Milliseconds without a byte after which a connection has failed. */
  stall: number;
  /** Is told of a wait that a person notices, and why. */
  waits?(line: string): void;
  /** Is told of what a registry warns of. */
  warns?(line: string): void;
}

export const DEFAULT_PATIENCE: Patience = { retries: 5, pause: 500, stall: 60_000 };

/** The longest wait that a registry may ask for, in milliseconds. */
const LONGEST_PAUSE = 60_000;

/** The shortest wait that a person notices, in milliseconds. */
const NOTICED = 1000;

/** Whether a failed exchange is worth another: what a server says of itself and too many requests may pass, a certificate or a name not. */
export function isPassing(error: unknown): error is ConnectionError | RegistryError {
  if (error instanceof RegistryError) return [408, 425, 429, 500, 502, 503, 504].includes(error.status);
  return error instanceof ConnectionError && error.mayPass && !/ENOTFOUND|getaddrinfo/.test(error.reason);
}

/** Waits before a further try. @param failures how many there were, from 1 on @param cause the last of them */
export async function backOff({ pause, waits }: Patience, failures: number, cause: Error): Promise<void> {
  const asked = cause instanceof RegistryError ? retryAfter(cause.retryAfter, Date.now()) : null;
  // A different wait for each of many clients that failed together.
  const own = pause * 2 ** (failures - 1) * (0.5 + Math.random());
  const wait = Math.min(asked ?? own, LONGEST_PAUSE);
  if (wait >= NOTICED) waits?.(`${cause.message}: again in ${Math.round(wait / 1000)} s`);
  await sleep(wait);
}

/** The milliseconds that `Retry-After` asks for, in seconds or as a date. @see RFC 9110, section 10.2.3 */
export function retryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  // What begins with no day of the week is no date, though Date reads even "-5" as one.
  const date = /^[A-Z][a-z]/.test(header.trim()) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
