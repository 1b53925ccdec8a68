/**
 * Resource limits on cgroup v1.
 * @see linux/Documentation/admin-guide/cgroup-v1/
 */
import type { Integer64, Resources } from "../config/types.ts";
import type { Errno } from "../sys/errno.ts";
import { integer } from "./resource-values.ts";
import type { WriteStep } from "./resources.ts";
import { cpusetWrites, hugepageWrites, pidsWrites, rdmaWrites, shareWrites } from "./resources-shared.ts";

type Writes = WriteStep[];
type Cpu = NonNullable<Resources["cpu"]>;

/**
 * The writes for all but the devices, hierarchy by hierarchy. 0 means "as it is" unless said otherwise.
 * @throws {Error} for `unified`, and for values out of range
 */
export function planV1Writes(resources: Resources): Writes {
  if (Object.keys(resources.unified ?? {}).length > 0) {
    throw new Error("invalid configuration: cannot use unified on cgroup v1");
  }
  return [
    ...cpusetWritesV1(resources.cpu),
    ...memoryWrites(resources.memory),
    ...cpuWrites(resources.cpu),
    ...pidsWrites(resources.pids),
    ...blockIoWrites(resources.blockIO),
    ...hugepageWrites(resources.hugepageLimits, "limit_in_bytes"),
    ...networkWrites(resources.network),
    ...rdmaWrites(resources.rdma),
  ];
}

/** Mounted with `noprefix`, or as the filesystem `cpuset` that there was before cgroups, its files are without the prefix. @see cpuset(7) */
export function cpusetWritesV1(cpu: Resources["cpu"]): Writes {
  return cpusetWrites(cpu).map((write) => {
    return { ...write, otherwise: { file: write.file.replace(/^cpuset\./, ""), value: write.value } };
  });
}

/** Real-time bandwidth: a process with a real-time policy can join only after these are set. */
export function realtimeWrites({ realtimePeriod = 0, realtimeRuntime = 0 }: Cpu): Writes {
  return dependent("cpu.rt_period_us", realtimePeriod, "cpu.rt_runtime_us", realtimeRuntime);
}

function memoryWrites(memory: Resources["memory"] = {}): Writes {
  const { limit = 0, swap = 0, reservation = 0, kernelTCP = 0, swappiness, disableOOMKiller } = memory;
  const write = (file: string, value: Integer64, tolerate?: Errno[]): Writes[number] => {
    return { kind: "write", controller: "memory", file, value: integer(value), ...(tolerate && { tolerate }) };
  };
  const limitFile = "memory.limit_in_bytes";
  const swapFile = "memory.memsw.limit_in_bytes";
  const writes: Writes = [];
  if (limit === -1 && swap === 0) {
    // Free memory means free swap too, where the kernel counts swap.
    writes.push(write(swapFile, -1, ["ENOENT"]), write(limitFile, -1));
  } else if (limit !== 0 && swap !== 0) {
    // The kernel keeps limit ≤ memsw, so the order depends on which way they move: try, set memsw, set for good.
    writes.push(write(limitFile, limit, ["EINVAL"]), write(swapFile, swap), write(limitFile, limit));
  } else {
    if (limit !== 0) writes.push(write(limitFile, limit));
    if (swap !== 0) writes.push(write(swapFile, swap));
  }
  if (reservation !== 0) writes.push(write("memory.soft_limit_in_bytes", reservation));
  if (kernelTCP !== 0) writes.push(write("memory.kmem.tcp.limit_in_bytes", kernelTCP));
  if (disableOOMKiller === true) writes.push(write("memory.oom_control", 1));
  if (swappiness !== undefined && swappiness !== -1) {
    if (swappiness < 0 || swappiness > 100) {
      throw new Error(`invalid memory swappiness value: ${swappiness} (valid range is 0-100)`);
    }
    writes.push(write("memory.swappiness", swappiness));
  }
  return writes;
}

function cpuWrites(cpu: Cpu = {}): Writes {
  const { shares = 0, quota = 0, period = 0, burst, idle } = cpu;
  const write = (file: string, value: Integer64, tolerate?: Errno[]): Writes[number] => {
    return { kind: "write", controller: "cpu", file, value: integer(value), ...(tolerate && { tolerate }) };
  };
  // The kernel clamps in silence.
  if (shares !== 0 && shares < 2) throw new Error("the minimum allowed cpu-shares is 2");
  if (shares > 262144) throw new Error("the maximum allowed cpu-shares is 262144");
  const writes = shareWrites(shares === 0 ? null : write("cpu.shares", shares), idle);
  const burstWrite = (tolerate: Errno[]) => {
    return burst === undefined ? [] : [write("cpu.cfs_burst_us", burst, ["ENOENT", ...tolerate])];
  };
  const quotaSet = quota !== 0;
  writes.push(...burstWrite(quotaSet ? ["EINVAL"] : []));
  writes.push(...dependent("cpu.cfs_period_us", period, "cpu.cfs_quota_us", quota));
  if (quotaSet) writes.push(...burstWrite([]));
  return [...writes, ...realtimeWrites(cpu)];
}

/** The kernel checks each of the two against the other's present value: the period may fit only after the amount is set. */
function dependent(periodFile: string, period: Integer64, amountFile: string, amount: Integer64): Writes {
  const periodWrite: Writes[number] = { kind: "write", controller: "cpu", file: periodFile, value: integer(period) };
  const amountWrite: Writes[number] = { kind: "write", controller: "cpu", file: amountFile, value: integer(amount) };
  if (amount === 0) return period === 0 ? [] : [periodWrite];
  if (period === 0) return [amountWrite];
  return [{ ...periodWrite, tolerate: ["EINVAL"] }, amountWrite, periodWrite];
}

function blockIoWrites(blockIO: Resources["blockIO"] = {}): Writes {
  const write = (file: string, value: string): Writes[number] => {
    return { kind: "write", controller: "blkio", file: `blkio.${file}`, value };
  };
  // The BFQ scheduler, the only one with weights since Linux 5.0, has its own files.
  const weightWrite = (file: string, value: string): Writes[number] => {
    return { ...write(file, value), otherwise: { file: `blkio.bfq.${file}`, value } };
  };
  const writes: Writes = [];
  if (blockIO.weight) writes.push(weightWrite("weight", integer(blockIO.weight)));
  if (blockIO.leafWeight) writes.push(write("leaf_weight", integer(blockIO.leafWeight)));
  for (const { major, minor, weight, leafWeight } of blockIO.weightDevice ?? []) {
    if (weight) writes.push(weightWrite("weight_device", `${major}:${minor} ${weight}`));
    if (leafWeight) writes.push(write("leaf_weight_device", `${major}:${minor} ${leafWeight}`));
  }
  for (const [file, devices] of [
    ["throttle.read_bps_device", blockIO.throttleReadBpsDevice],
    ["throttle.write_bps_device", blockIO.throttleWriteBpsDevice],
    ["throttle.read_iops_device", blockIO.throttleReadIOPSDevice],
    ["throttle.write_iops_device", blockIO.throttleWriteIOPSDevice],
  ] as const) {
    for (const { major, minor, rate } of devices ?? []) writes.push(write(file, `${major}:${minor} ${integer(rate)}`));
  }
  return writes;
}

function networkWrites(network: Resources["network"] = {}): Writes {
  const writes: Writes = [];
  const { classID } = network;
  if (classID) writes.push({ kind: "write", controller: "net_cls", file: "net_cls.classid", value: integer(classID) });
  for (const { name, priority } of network.priorities ?? []) {
    writes.push({ kind: "write", controller: "net_prio", file: "net_prio.ifpriomap", value: `${name} ${priority}` });
  }
  return writes;
}
