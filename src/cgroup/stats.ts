/** What a container has used: of either version of cgroups. */
import { parseCpuList } from "../config/cpu-list.ts";
import { exists, readDirectory } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import type { CgroupDriver } from "./driver.ts";
import { fileIn, keyed, numberIn, numbers } from "./stat-files.ts";
import type { Stats } from "./stats-types.ts";
import { blockV1, cpuV1, memoryV1 } from "./stats-v1.ts";
import { blockV2, cpuV2, memoryV2 } from "./stats-v2.ts";

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

function cpuset(directory: string): Stats["cpuset"] {
  const found: Stats["cpuset"] = {};
  const lists = {
    cpus: ["cpuset.cpus", "cpuset.cpus.effective", "cpus"],
    mems: ["cpuset.mems", "cpuset.mems.effective", "mems"],
  };
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
    found[name] = Number((fileIn(directory, `cpuset.${file}`) ?? fileIn(directory, file))?.trim() ?? 0);
  }
  return found;
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
