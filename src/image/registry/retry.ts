/** Trying again: after what, how often, and how long to wait before. */
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionError, type HttpResponse } from "./http.ts";

/** How patient a client is. */
export interface Patience {
  /** How often something is tried again that fails for a reason that may pass. */
  retries: number;
  /** Milliseconds before the first further try; each later one waits twice as long. */
  pause: number;
  /** Milliseconds without a byte after which a connection has failed. */
  stall: number;
}

export const DEFAULT_PATIENCE: Patience = { retries: 5, pause: 500, stall: 60_000 };

/** The longest wait that a registry may ask for, in milliseconds. */
const LONGEST_PAUSE = 60_000;

/** Statuses that may pass: too many requests, and what a server says of itself. */
export function mayPass(status: number): boolean {
  return [408, 425, 429, 500, 502, 503, 504].includes(status);
}

/** Whether a failed exchange is worth another. A certificate or a name will not get better. */
export function isPassing(error: unknown): boolean {
  return error instanceof ConnectionError && error.mayPass && !/ENOTFOUND|getaddrinfo/.test(error.reason);
}

/** Waits before a further try. @param failures how many there were, from 1 on @param response what asked for a pause, perhaps */
export async function backOff({ pause }: Patience, failures: number, response?: HttpResponse): Promise<void> {
  const asked = retryAfter(response?.headers["retry-after"], Date.now());
  // A different wait for each of many clients that failed together.
  const own = pause * 2 ** (failures - 1) * (0.5 + Math.random());
  await sleep(Math.min(asked ?? own, LONGEST_PAUSE));
}

/** The milliseconds that `Retry-After` asks for, in seconds or as a date. @see RFC 9110, section 10.2.3 */
export function retryAfter(header: string | undefined, now: number): number | null {
  if (header === undefined) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
