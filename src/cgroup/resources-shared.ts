/** Resource limits whose files are the same on cgroup v1 and v2. */
import type { Integer64, Resources } from "../config/types.ts";
import { integer, pidsMax } from "./resource-values.ts";
import type { WriteStep } from "./resources.ts";

type Writes = WriteStep[];

/** The cpus and memory nodes: on v1 these must be set before a process can join. */
export function cpusetWrites(cpu: Resources["cpu"]): Writes {
  const writes: Writes = [];
  if (cpu?.cpus) writes.push({ kind: "write", controller: "cpuset", file: "cpuset.cpus", value: cpu.cpus });
  if (cpu?.mems) writes.push({ kind: "write", controller: "cpuset", file: "cpuset.mems", value: cpu.mems });
  return writes;
}

/**
 * The share of CPU time, and whether the cgroup is idle. The kernel takes no share of one that is idle, and gives it the default when it no
 * longer is (`sched_group_set_shares`, Linux 5.15): so the share is written before that begins, or after its end.
 * @param share the write of the share, if one is asked for
 */
export function shareWrites(share: WriteStep | null, idle: Integer64 | undefined): Writes {
  const shares = share === null ? [] : [share];
  if (idle === undefined) return shares;
  const idleWrite: WriteStep = { kind: "write", controller: "cpu", file: "cpu.idle", value: integer(idle) };
  if (integer(idle) === "0") return [idleWrite, ...shares];
  // Of one that is idle already: its share counts again when it no longer is, and is written then.
  return [...shares.map((write): WriteStep => ({ ...write, tolerate: ["EINVAL"] })), idleWrite];
}

/** @param suffix what the files end in: `limit_in_bytes` on v1, `max` on v2 */
export function hugepageWrites(limits: Resources["hugepageLimits"] = [], suffix: string): Writes {
  return limits.flatMap(({ pageSize, limit }): Writes => {
    const value = integer(limit);
    const controller = "hugetlb";
    return [
      { kind: "write", controller, file: `hugetlb.${pageSize}.${suffix}`, value },
      { kind: "write", controller, file: `hugetlb.${pageSize}.rsvd.${suffix}`, value, tolerate: ["ENOENT"] },
    ];
  });
}

export function rdmaWrites(rdma: Resources["rdma"] = {}): Writes {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    return { kind: "write", controller: "rdma", file: "rdma.max", value: `${device}${handles}${objects}` };
  });
}

export function pidsWrites(pids: Resources["pids"]): Writes {
  if (pids?.limit === undefined) return [];
  return [{ kind: "write", controller: "pids", file: "pids.max", value: pidsMax(pids.limit) }];
}
