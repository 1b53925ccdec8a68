/** Values of resource limits as the kernel's files take them, and their conversion from v1 to v2. */
import type { Integer64, Resources } from "../config/types.ts";

/** A number of config.json in digits alone. @throws {RangeError} for a number that is none of an integer's exact ones */
export function integer(value: Integer64): string {
  return typeof value === "number" && !Number.isSafeInteger(value) ? BigInt(value).toString() : String(value);
}

/** A limit of v2: -1 is "no limit". */
export function limitOrMax(value: Integer64): string {
  return value === -1 ? "max" : integer(value);
}

/** `pids.max`: -1 is "no limit"; 0 counts as 1, as with systemd, which knows no 0. */
export function pidsMax(limit: Integer64): string {
  return limit < 0 ? "max" : integer(limit === 0 ? 1 : limit);
}

/**
 * CPU shares of v1 (2 … 262144, by default 1024) as a weight of v2 (1 … 10000, by default 100).
 * The curve meets the default and both ends.
 */
export function sharesToWeight(shares: Integer64): number {
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(Number(shares));
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

/** The weight of block I/O on v1 (10 … 1000) as one of v2 (1 … 10000), linearly. */
export function blockIoToWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/**
 * The limit of swap alone, which v2 wants, from that of memory and swap together, which config.json has.
 * @returns `null` for no change, -1 for no limit
 * @throws {Error} when there is no telling
 */
export function swapAlone(memoryAndSwap: Integer64, memory: Integer64): Integer64 | null {
  // A container whose memory is set free without a word on swap may swap freely too.
  if (memory === -1 && memoryAndSwap === 0) return -1;
  if (memoryAndSwap === 0) return null;
  if (memoryAndSwap === -1 || memory === -1) return memoryAndSwap;
  if (memory === 0) throw new Error("unable to set swap limit without memory limit");
  if (memory < 0) throw new Error(`invalid memory value: ${memory}`);
  if (memoryAndSwap < memory) throw new Error("memory+swap limit should be >= memory limit");
  const difference = BigInt(memoryAndSwap) - BigInt(memory);
  return Number.isSafeInteger(Number(difference)) ? Number(difference) : difference;
}

/** Whether a file of cgroup v2 is one of the share of CPU time. */
export function isShare(file: string): boolean {
  return file === "cpu.weight" || file === "cpu.weight.nice";
}

/** Whether `unified` makes the cgroup idle: then the kernel takes no share of CPU time. */
export function isIdle(unified: Resources["unified"] = {}): boolean {
  return unified["cpu.idle"]?.trim() === "1";
}
