/** Reads the files in which a cgroup's controllers count. */
import { readText } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import type { Stats } from "./stats-types.ts";

/** The largest number of 64 bits: what runc says for "no limit". */
export const NO_LIMIT = 0xffff_ffff_ffff_ffffn;

/** The text of a file; `undefined` where it cannot be read: the cgroup, the controller or the feature is not there. */
export function fileIn(directory: string, file: string): string | undefined {
  try {
    return readText(join(directory, file));
  } catch {
    return undefined;
  }
}

export function numberIn(directory: string, file: string, name: string): Record<string, bigint> {
  const value = numbers(fileIn(directory, file) ?? "")[0];
  return value === undefined ? {} : { [name]: value };
}

export function limitOf(directory: string, file: string): bigint {
  return numbers(fileIn(directory, file) ?? "")[0] ?? NO_LIMIT;
}

export function numbers(text: string): bigint[] {
  return text
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(BigInt);
}

/** Lines of `name value`. */
export function keyed(text = ""): Record<string, bigint> {
  return Object.fromEntries([...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, name, value]) => [name, BigInt(value ?? 0)]));
}

/** The lines of `cpu.stat` about throttling, which both versions have. @param time nanoseconds */
export function throttling(stat: Record<string, bigint>, time: bigint | undefined): Stats["cpu"]["throttling"] {
  const { nr_periods: periods, nr_throttled: throttledPeriods } = stat;
  return {
    ...(periods !== undefined && { periods }),
    ...(throttledPeriods !== undefined && { throttledPeriods }),
    ...(time !== undefined && { throttledTime: time }),
  };
}
