/** Scheduling: policy and priority, I/O priority, CPU affinity. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

const POLICIES = ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"];

/** In the order of their bits. */
const FLAGS = [
  "SCHED_FLAG_RESET_ON_FORK",
  "SCHED_FLAG_RECLAIM",
  "SCHED_FLAG_DL_OVERRUN",
  "SCHED_FLAG_KEEP_POLICY",
  "SCHED_FLAG_KEEP_PARAMS",
  "SCHED_FLAG_UTIL_CLAMP_MIN",
  "SCHED_FLAG_UTIL_CLAMP_MAX",
];

/** What `sched_setattr(2)` sets. Times in nanoseconds. */
export interface SchedulingAttributes {
  policy: string;
  flags: readonly string[];
  nice: number;
  priority: number;
  runtime: number | bigint;
  deadline: number | bigint;
  period: number | bigint;
}

/**
 * Sets this process's scheduling.
 * @throws {SyscallError} `error setting scheduler`
 * @throws {Error} for a policy or flag that is none
 * @see sched_setattr(2)
 */
export function setScheduling(attributes: SchedulingAttributes): void {
  const SIZE = 48; // SCHED_ATTR_SIZE_VER0: no utilisation clamps
  const memory = Buffer.alloc(SIZE);
  memory.writeUInt32LE(SIZE, 0);
  memory.writeUInt32LE(position(POLICIES, attributes.policy, "scheduler policy"), 4);
  let flags = 0;
  for (const flag of attributes.flags) flags |= 1 << position(FLAGS, flag, "scheduler flag");
  memory.writeUInt32LE(flags, 8);
  memory.writeInt32LE(attributes.nice, 16);
  memory.writeUInt32LE(attributes.priority, 20);
  memory.writeBigUInt64LE(BigInt(attributes.runtime), 24);
  memory.writeBigUInt64LE(BigInt(attributes.deadline), 32);
  memory.writeBigUInt64LE(BigInt(attributes.period), 40);
  check(syscall("sched_setattr", 0, memory, 0), "error setting scheduler");
}

function position(names: readonly string[], name: string, what: string): number {
  const index = names.indexOf(name);
  if (index < 0) throw new Error(`invalid ${what}: ${name}`);
  return index;
}

/** In the order of their numbers; 0 is "none". */
const IO_CLASSES = ["", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];
const IOPRIO_WHO_PROCESS = 1;

/**
 * Sets this process's I/O priority.
 * @param priority 0 (highest) to 7
 * @throws {SyscallError} `failed to set io priority`
 * @see ioprio_set(2)
 */
export function setIoPriority(ioClass: string, priority: number): void {
  const value = (position(IO_CLASSES, ioClass, "io priority class") << 13) | priority;
  check(syscall("ioprio_set", IOPRIO_WHO_PROCESS, 0, value), "failed to set io priority");
}

/**
 * Binds a process to CPUs. @param pid 0 for this process
 * @param cpus numbers; those that the machine or the process's cpuset does not have are left out by the kernel
 * @throws {SyscallError} EINVAL when none is left
 * @see sched_setaffinity(2)
 */
export function setAffinity(pid: number, cpus: readonly number[]): void {
  check(syscall("sched_setaffinity", pid, ...bitmap(cpus)), () => `set the CPU affinity of process ${pid}`);
}

/** Lets a process run on every CPU that its cpuset has, now or later. @throws {SyscallError} */
export function resetAffinity(pid: number): void {
  const everyCpu = new Uint8Array(8192).fill(0xff); // the kernel's own maximum, CONFIG_NR_CPUS, is 8192 CPUs
  const result = syscall("sched_setaffinity", pid, everyCpu.byteLength, everyCpu);
  check(result, () => `reset the CPU affinity of process ${pid}`);
}

/** A set of small numbers as the kernel's array of 64-bit words: its size in bytes, and the memory. */
function bitmap(members: readonly number[]): [number, BigUint64Array] {
  const words = new BigUint64Array((members.reduce((a, b) => Math.max(a, b), 0) >> 6) + 1);
  for (const member of members) words[member >> 6] = (words[member >> 6] as bigint) | (1n << BigInt(member & 63));
  return [words.byteLength, words];
}

/** NUMA memory policies by name, in the order of the kernel's numbers. */
export const MEMORY_MODES = [
  "MPOL_DEFAULT",
  "MPOL_PREFERRED",
  "MPOL_BIND",
  "MPOL_INTERLEAVE",
  "MPOL_LOCAL",
  "MPOL_PREFERRED_MANY",
  "MPOL_WEIGHTED_INTERLEAVE",
];

/** Flags of memory policies, in the order of their bits, the first of which is 13. */
export const MEMORY_FLAGS = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];

/**
 * Sets this process's NUMA memory policy.
 * @param nodes numbers of the nodes; empty for none
 * @throws {SyscallError} `set_mempolicy`
 * @see set_mempolicy(2)
 */
export function setMemoryPolicy(mode: string, flags: readonly string[], nodes: readonly number[]): void {
  let value = position(MEMORY_MODES, mode, "memory policy mode");
  for (const flag of flags) value |= 1 << (13 + position(MEMORY_FLAGS, flag, "memory policy flag"));
  const [bytes, mask] = bitmap(nodes);
  // maxnode is one more than the bits in the mask: the kernel takes one off before it looks.
  const result =
    nodes.length === 0 ? syscall("set_mempolicy", value, 0, 0) : syscall("set_mempolicy", value, mask, bytes * 8 + 1);
  check(result, () => `set_mempolicy ${[mode, ...flags].join("|")} on nodes ${nodes.join(",")}`);
}

/** Execution domains. @see personality(2) */
const PERSONALITIES = { LINUX: 0, LINUX32: 8 } as const;

/** Sets this process's execution domain. @throws {SyscallError} @see personality(2) */
export function setPersonality(domain: keyof typeof PERSONALITIES): void {
  check(syscall("personality", PERSONALITIES[domain]), `set personality ${domain}`);
}
