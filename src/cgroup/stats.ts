/**
 * What a container has used, in the shape that runc's `events` prints: cAdvisor, containerd and others read it.
 * Times are nanoseconds, sizes bytes. Numbers are `bigint`, as the kernel counts them in 64 bits.
 * @see runc, types/events.go
 */

import { parseCpuList } from "../config/cpu-list.ts";
import { exists, readDirectory, readText } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import type { CgroupDriver } from "./driver.ts";

export interface Pressure {
  some: PressureLine;
  full: PressureLine;
}

/** Shares of time in percent, over the last seconds; and microseconds in all. @see linux/Documentation/accounting/psi.rst */
export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  total: bigint;
}

export interface MemoryEntry {
  limit: bigint;
  usage: bigint;
  max?: bigint;
  failcnt: bigint;
}

export interface BlockEntry {
  major: number;
  minor: number;
  op: string;
  value: bigint;
}

export interface Stats {
  cpu: {
    usage: {
      total: bigint;
      percpu?: bigint[];
      percpu_kernel?: bigint[];
      percpu_user?: bigint[];
      kernel: bigint;
      user: bigint;
    };
    throttling: { periods?: bigint; throttledPeriods?: bigint; throttledTime?: bigint };
    psi?: Pressure;
  };
  cpuset: Record<string, number | number[]>;
  memory: {
    cache?: bigint;
    usage?: MemoryEntry;
    swap?: MemoryEntry;
    kernel?: MemoryEntry;
    kernelTCP?: MemoryEntry;
    raw?: Record<string, bigint>;
    psi?: Pressure;
  };
  pids: { current?: bigint; limit?: bigint };
  blkio: Record<string, BlockEntry[]>;
  hugetlb: Record<string, { usage: bigint; max?: bigint; failcnt: bigint }>;
  intel_rdt: Record<string, unknown>;
  network_interfaces: null;
}

/** The largest number of 64 bits: what runc says for "no limit". */
const NO_LIMIT = 0xffff_ffff_ffff_ffffn;

/** Reads what the kernel counts. What it does not count, for want of a controller or a file, is left out. @throws {SyscallError} */
export function readStats(driver: CgroupDriver): Stats {
  const directoryOf = (controller: string) => driver.hierarchyOf(controller)?.directory ?? "/nonexistent";
  const version = driver.hierarchyOf("memory")?.version ?? driver.hierarchyOf("cpu")?.version ?? 2;
  return {
    cpu: version === 1 ? cpuV1(directoryOf("cpu"), directoryOf("cpuacct")) : cpuV2(directoryOf("cpu")),
    cpuset: cpuset(directoryOf("cpuset")),
    memory: version === 1 ? memoryV1(directoryOf("memory")) : memoryV2(directoryOf("memory")),
    pids: {
      ...numberIn(directoryOf("pids"), "pids.current", "current"),
      ...numberIn(directoryOf("pids"), "pids.max", "limit"),
    },
    blkio: version === 1 ? blockV1(directoryOf("blkio")) : blockV2(directoryOf("blkio")),
    hugetlb: hugetlb(directoryOf("hugetlb"), version),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function cpuV1(cpu: string, cpuacct: string): Stats["cpu"] {
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

function cpuV2(directory: string): Stats["cpu"] {
  const stat = keyed(fileIn(directory, "cpu.stat"));
  const nanoseconds = (name: string) => (stat[name] ?? 0n) * 1000n;
  return {
    usage: { total: nanoseconds("usage_usec"), kernel: nanoseconds("system_usec"), user: nanoseconds("user_usec") },
    throttling: throttling(stat, stat["throttled_usec"] === undefined ? undefined : nanoseconds("throttled_usec")),
    ...pressure(directory, "cpu.pressure"),
  };
}

function throttling(stat: Record<string, bigint>, time: bigint | undefined): Stats["cpu"]["throttling"] {
  const { nr_periods: periods, nr_throttled: throttledPeriods } = stat;
  return {
    ...(periods !== undefined && { periods }),
    ...(throttledPeriods !== undefined && { throttledPeriods }),
    ...(time !== undefined && { throttledTime: time }),
  };
}

function cpuset(directory: string): Stats["cpuset"] {
  const found: Stats["cpuset"] = {};
  const lists = { cpus: ["cpuset.cpus", "cpuset.cpus.effective"], mems: ["cpuset.mems", "cpuset.mems.effective"] };
  for (const [name, files] of Object.entries(lists)) {
    const text = files.map((file) => fileIn(directory, file)?.trim() ?? "").find((list) => list !== "");
    if (text) found[name] = parseCpuList(text) ?? [];
  }
  for (const [name, file] of Object.entries({
    cpu_exclusive: "cpu_exclusive",
    mem_hardwall: "mem_hardwall",
    mem_exclusive: "mem_exclusive",
    memory_migrate: "memory_migrate",
    memory_spread_page: "memory_spread_page",
    memory_spread_slab: "memory_spread_slab",
    memory_pressure: "memory_pressure",
    sched_load_balance: "sched_load_balance",
    sched_relax_domain_level: "sched_relax_domain_level",
  })) {
    found[name] = Number(fileIn(directory, `cpuset.${file}`)?.trim() ?? 0);
  }
  return found;
}

function memoryV1(directory: string): Stats["memory"] {
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

function memoryV2(directory: string): Stats["memory"] {
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

function blockV1(directory: string): Stats["blkio"] {
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

function blockV2(directory: string): Stats["blkio"] {
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

function hugetlb(directory: string, version: 1 | 2): Stats["hugetlb"] {
  const found: Stats["hugetlb"] = {};
  if (!exists(directory)) return found;
  for (const { name } of readDirectory(directory)) {
    const size = /^hugetlb\.(\d+[KMG]B)\.(?:usage_in_bytes|current)$/.exec(String(name))?.[1];
    if (size === undefined) continue;
    // A process that has reserved pages without touching them is not counted by the older file.
    const reserved = exists(join(directory, `hugetlb.${size}.rsvd.${version === 1 ? "usage_in_bytes" : "current"}`));
    const value = (file: string) => {
      return numbers(
        fileIn(directory, `hugetlb.${size}.${reserved && !file.startsWith("events") ? "rsvd." : ""}${file}`) ?? "",
      )[0];
    };
    const max = version === 1 ? value("max_usage_in_bytes") : undefined;
    found[size] = {
      usage: value(version === 1 ? "usage_in_bytes" : "current") ?? 0n,
      ...(max !== undefined && { max }),
      failcnt: (version === 1 ? value("failcnt") : keyed(fileIn(directory, `hugetlb.${size}.events`))["max"]) ?? 0n,
    };
  }
  return found;
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

/** The text of a file; `undefined` where it cannot be read: the cgroup, the controller or the feature is not there. */
function fileIn(directory: string, file: string): string | undefined {
  try {
    return readText(join(directory, file));
  } catch {
    return undefined;
  }
}

function numberIn(directory: string, file: string, name: string): Record<string, bigint> {
  const value = numbers(fileIn(directory, file) ?? "")[0];
  return value === undefined ? {} : { [name]: value };
}

function limitOf(directory: string, file: string): bigint {
  return numbers(fileIn(directory, file) ?? "")[0] ?? NO_LIMIT;
}

function numbers(text: string): bigint[] {
  return text
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(BigInt);
}

/** Lines of `name value`. */
function keyed(text = ""): Record<string, bigint> {
  return Object.fromEntries([...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, name, value]) => [name, BigInt(value ?? 0)]));
}
