/** What cgroup v1 counts. */
import { fileIn, keyed, numbers, throttling } from "./stat-files.ts";
import type { BlockEntry, MemoryEntry, Stats } from "./stats-types.ts";

export function cpuV1(cpu: string, cpuacct: string): Stats["cpu"] {
  const percpu = numbers(fileIn(cpuacct, "cpuacct.usage_percpu") ?? "");
  const all = keyed(fileIn(cpuacct, "cpuacct.stat"));
  const TICK = 10_000_000n; // of USER_HZ, 100 on all machines that Linux is run on here
  const each = (fileIn(cpuacct, "cpuacct.usage_all") ?? "").split("\n").slice(1).filter(Boolean).map(numbers);
  const throttled = keyed(fileIn(cpu, "cpu.stat"));
  return {
    usage: {
      total: numbers(fileIn(cpuacct, "cpuacct.usage") ?? "0")[0] ?? 0n,
      ...(percpu.length > 0 && { percpu }),
      ...(each.length > 0 && {
        percpu_kernel: each.map((row) => row[2] ?? 0n),
        percpu_user: each.map((row) => row[1] ?? 0n),
      }),
      kernel: (all["system"] ?? 0n) * TICK,
      user: (all["user"] ?? 0n) * TICK,
    },
    throttling: throttling(throttled, throttled["throttled_time"]),
  };
}

export function memoryV1(directory: string): Stats["memory"] {
  const raw = keyed(fileIn(directory, "memory.stat"));
  const entry = (prefix: string): MemoryEntry | undefined => {
    const value = (file: string) => numbers(fileIn(directory, `${prefix}.${file}`) ?? "")[0];
    const usage = value("usage_in_bytes");
    if (usage === undefined) return undefined;
    const max = value("max_usage_in_bytes");
    return {
      limit: value("limit_in_bytes") ?? 0n,
      usage,
      ...(max !== undefined && { max }),
      failcnt: value("failcnt") ?? 0n,
    };
  };
  const entries = { usage: "memory", swap: "memory.memsw", kernel: "memory.kmem", kernelTCP: "memory.kmem.tcp" };
  const memory: Stats["memory"] = { ...(raw["cache"] !== undefined && { cache: raw["cache"] }) };
  for (const [name, prefix] of Object.entries(entries)) {
    const found = entry(prefix);
    if (found !== undefined) memory[name as keyof typeof entries] = found;
  }
  return { ...memory, raw };
}

export function blockV1(directory: string): Stats["blkio"] {
  const found: Stats["blkio"] = {};
  for (const [name, files] of Object.entries({
    ioServiceBytesRecursive: ["blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"],
    ioServicedRecursive: ["blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"],
    ioQueueRecursive: ["blkio.bfq.io_queued_recursive"],
    ioServiceTimeRecursive: ["blkio.bfq.io_service_time_recursive"],
    ioWaitTimeRecursive: ["blkio.bfq.io_wait_time_recursive"],
    ioMergedRecursive: ["blkio.bfq.io_merged_recursive"],
    ioTimeRecursive: ["blkio.bfq.time_recursive"],
    sectorsRecursive: ["blkio.bfq.sectors_recursive"],
  })) {
    // The scheduler's own count, where that scheduler is in use.
    const entries = files.map((file) => blockEntries(fileIn(directory, file) ?? "")).find(({ length }) => length > 0);
    if (entries !== undefined) found[name] = entries;
  }
  return found;
}

function blockEntries(text: string): BlockEntry[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+) (?:(\w+) )?(\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op = "", value = "0"] = match;
    return [{ major: Number(major), minor: Number(minor), op, value: BigInt(value) }];
  });
}
