/** What cgroup v2 counts. */
import { fileIn, keyed, limitOf, NO_LIMIT, numbers, throttling } from "./stat-files.ts";
import type { BlockEntry, Pressure, PressureLine, Stats } from "./stats-types.ts";

export function cpuV2(directory: string): Stats["cpu"] {
  const stat = keyed(fileIn(directory, "cpu.stat"));
  const nanoseconds = (name: string) => (stat[name] ?? 0n) * 1000n;
  return {
    usage: { total: nanoseconds("usage_usec"), kernel: nanoseconds("system_usec"), user: nanoseconds("user_usec") },
    throttling: throttling(stat, stat["throttled_usec"] === undefined ? undefined : nanoseconds("throttled_usec")),
    ...pressure(directory, "cpu.pressure"),
  };
}

export function memoryV2(directory: string): Stats["memory"] {
  const raw = keyed(fileIn(directory, "memory.stat"));
  const usage = numbers(fileIn(directory, "memory.current") ?? "")[0];
  if (usage === undefined) return {};
  const events = keyed(fileIn(directory, "memory.events"));
  const peak = numbers(fileIn(directory, "memory.peak") ?? "")[0];
  const limit = limitOf(directory, "memory.max");
  const swap = numbers(fileIn(directory, "memory.swap.current") ?? "")[0];
  const swapLimit = limitOf(directory, "memory.swap.max");
  return {
    ...(raw["file"] !== undefined && { cache: raw["file"] }),
    usage: { limit, usage, ...(peak !== undefined && { max: peak }), failcnt: events["max"] ?? 0n },
    // As v1 counts it, and those who read this: memory and swap together.
    ...(swap !== undefined && {
      swap: {
        limit: limit === NO_LIMIT || swapLimit === NO_LIMIT ? NO_LIMIT : limit + swapLimit,
        usage: usage + swap,
        failcnt: 0n,
      },
    }),
    raw,
    ...pressure(directory, "memory.pressure"),
  };
}

export function blockV2(directory: string): Stats["blkio"] {
  const bytes: BlockEntry[] = [];
  const operations: BlockEntry[] = [];
  const kinds: Record<string, [into: BlockEntry[], op: string]> = {
    rbytes: [bytes, "Read"],
    wbytes: [bytes, "Write"],
    dbytes: [bytes, "Discard"],
    rios: [operations, "Read"],
    wios: [operations, "Write"],
    dios: [operations, "Discard"],
  };
  for (const line of (fileIn(directory, "io.stat") ?? "").split("\n")) {
    const [device = "", ...counts] = line.split(" ");
    const [major, minor] = device.split(":").map(Number);
    for (const count of counts) {
      const [name = "", value = ""] = count.split("=");
      const kind = kinds[name];
      if (kind === undefined || major === undefined || minor === undefined || !/^\d+$/.test(value)) continue;
      kind[0].push({ major, minor, op: kind[1], value: BigInt(value) });
    }
  }
  return {
    ...(bytes.length > 0 && { ioServiceBytesRecursive: bytes }),
    ...(operations.length > 0 && { ioServicedRecursive: operations }),
    ...pressure(directory, "io.pressure"),
  } as Stats["blkio"];
}

/** Absent where the kernel has no pressure stall information, or none at the moment (ENOTSUP with `psi=0`). */
function pressure(directory: string, file: string): { psi?: Pressure } {
  const text = fileIn(directory, file);
  if (text === undefined) return {};
  const line = (kind: string): PressureLine => {
    const [, avg10, avg60, avg300, total] =
      new RegExp(`^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)$`, "m").exec(text) ?? [];
    return {
      avg10: Number(avg10 ?? 0),
      avg60: Number(avg60 ?? 0),
      avg300: Number(avg300 ?? 0),
      total: BigInt(total ?? 0),
    };
  };
  return { psi: { some: line("some"), full: line("full") } };
}
