/** Resource limits. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

/** The limits in the order of their numbers. @see linux/asm-generic/resource.h */
const TYPES =
  "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME".split(" ");

/** `RLIM_INFINITY`: no limit. */
export const RLIM_INFINITY = 0xffffffffffffffffn;

/** A resource limit, in the resource's own unit. */
export interface ResourceLimit {
  soft: bigint;
  hard: bigint;
}

/**
 * The number of a limit: `rlimitNumber("RLIMIT_NOFILE")` is 7.
 * @throws {Error} `invalid rlimit type: <type>`
 */
export function rlimitNumber(type: string): number {
  const number = type.startsWith("RLIMIT_") ? TYPES.indexOf(type.slice("RLIMIT_".length)) : -1;
  if (number < 0) throw new Error(`invalid rlimit type: ${type}`);
  return number;
}

/** Reads a limit. @param pid 0 for this process @throws {SyscallError} @see prlimit(2) */
export function getLimit(pid: number, type: string): ResourceLimit {
  const memory = new BigUint64Array(2);
  check(syscall("prlimit", pid, rlimitNumber(type), null, memory), () => `read ${type} of process ${pid}`);
  return { soft: memory[0] as bigint, hard: memory[1] as bigint };
}

/**
 * Sets a limit.
 * @param pid 0 for this process
 * @throws {SyscallError} `error setting rlimit type <number>`, runc's words: EPERM when it would raise the hard limit
 *   without CAP_SYS_RESOURCE in the initial user namespace, or `RLIMIT_NOFILE` above `fs.nr_open`; EINVAL when soft > hard
 * @see prlimit(2)
 */
export function setLimit(pid: number, type: string, { soft, hard }: ResourceLimit): void {
  const number = rlimitNumber(type);
  const result = syscall("prlimit", pid, number, new BigUint64Array([soft, hard]), null);
  check(result, () => `error setting rlimit type ${number} (${type}) to ${limitText(soft)}:${limitText(hard)}`);
}

function limitText(value: bigint): string {
  return value === RLIM_INFINITY ? "unlimited" : String(value);
}
