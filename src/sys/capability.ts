/** Capabilities: their names, and the sets of this process. */
import { check, SyscallError } from "./error.ts";
import { syscall } from "./ffi.ts";
import { PR, prctl } from "./process.ts";

/** The capabilities in the order of their numbers. @see linux/capability.h */
const NAMES =
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE " +
  "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN " +
  "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE " +
  "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

let numbers: Map<string, number> | undefined;

/** Every capability that this program knows, as `CAP_*`, in the order of their numbers. */
export function capabilityNames(): string[] {
  return [...numbersByName().keys()];
}

/** The number of a capability: `capabilityNumber("CAP_KILL")` is 5. @returns `null` for a name that it does not know */
export function capabilityNumber(name: string): number | null {
  return numbersByName().get(name) ?? null;
}

function numbersByName(): Map<string, number> {
  numbers ??= new Map(NAMES.split(" ").map((name, number) => [`CAP_${name}`, number]));
  return numbers;
}

/** The number of the last capability that the kernel knows. @see prctl(2), PR_CAPBSET_READ */
export function lastCapability(): number {
  const MOST = 63; // the bits of a set
  let last = numbersByName().size - 1;
  // Bounded: a seccomp filter around this process may answer the same whatever is asked.
  while (last > 0 && readBounding(last) < 0) last--;
  while (last < MOST && readBounding(last + 1) >= 0) last++;
  return last;
}

/** Capability numbers as the kernel's bit mask. */
export function capabilityMask(capabilities: Iterable<number>): bigint {
  let mask = 0n;
  for (const capability of capabilities) mask |= 1n << BigInt(capability);
  return mask;
}

/**
 * Takes capabilities out of the bounding set for good, as far as this process may: it needs `CAP_SETPCAP`.
 * @see capabilities(7); prctl(2), PR_CAPBSET_DROP
 */
export function dropBounding(capabilities: readonly number[]): void {
  const EPERM = 1;
  const EINVAL = 22;
  for (const capability of capabilities) {
    const result = syscall("prctl", PR.CAPBSET_DROP, capability, 0, 0, 0);
    if (result === -EPERM || result === -EINVAL) continue;
    check(result, () => `drop capability ${capability} from the bounding set`);
  }
}

/** Whether a capability is in the bounding set. @see prctl(2), PR_CAPBSET_READ */
export function isInBoundingSet(capability: number): boolean {
  return readBounding(capability) === 1;
}

/** @returns 1 or 0, or `-EINVAL` for a capability that the kernel does not know */
function readBounding(capability: number): number {
  return syscall("prctl", PR.CAPBSET_READ, capability, 0, 0, 0);
}

/** The sets that `capset(2)` sets, as bit masks. */
export interface CapabilitySets {
  effective: bigint;
  permitted: bigint;
  inheritable: bigint;
}

const VERSION_3 = 0x20080522;

/**
 * Sets this process's capabilities.
 * @throws {SyscallError} `capset`: EPERM when a set would gain what the process does not have
 * @see capset(2)
 */
export function setCapabilities({ effective, permitted, inheritable }: CapabilitySets): void {
  const header = new Uint32Array([VERSION_3, 0]);
  const data = new Uint32Array(6); // two struct __user_cap_data_struct, the low 32 capabilities first
  [effective, permitted, inheritable].forEach((mask, index) => {
    data[index] = Number(mask & 0xffffffffn);
    data[index + 3] = Number(mask >> 32n);
  });
  check(syscall("capset", header, data), "capset");
}

/**
 * This process's capabilities.
 * @throws {SyscallError} `capget`
 * @see capget(2)
 */
export function getCapabilities(): CapabilitySets {
  const data = new Uint32Array(6);
  check(syscall("capget", new Uint32Array([VERSION_3, 0]), data), "capget");
  const mask = (index: number): bigint => BigInt(data[index] as number) | (BigInt(data[index + 3] as number) << 32n);
  return { effective: mask(0), permitted: mask(1), inheritable: mask(2) };
}

const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

/** Empties the ambient set. @see prctl(2), PR_CAP_AMBIENT_CLEAR_ALL */
export function clearAmbient(): void {
  prctl("CAP_AMBIENT", PR_CAP_AMBIENT_CLEAR_ALL);
}

/**
 * Adds a capability to the ambient set.
 * @returns the failure, or `null`: EPERM when it is not both permitted and inheritable
 * @see prctl(2), PR_CAP_AMBIENT_RAISE
 */
export function raiseAmbient(capability: number): SyscallError | null {
  const result = syscall("prctl", PR.CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  return result < 0 ? new SyscallError("prctl PR_CAP_AMBIENT_RAISE", -result) : null;
}
