/** Loading eBPF programs and attaching them to cgroups. @see bpf(2) */
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";

const COMMAND = { PROG_LOAD: 5, PROG_ATTACH: 8, PROG_DETACH: 9, PROG_GET_FD_BY_ID: 13, PROG_QUERY: 16 } as const;

const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
const BPF_CGROUP_DEVICE = 6;
const BPF_F_ALLOW_MULTI = 2;
const BPF_F_REPLACE = 4;

/** The kernel attaches at most this many programs of a type to a cgroup (`BPF_CGROUP_MAX_PROGS`). */
const MAX_PROGRAMS = 64;

/**
 * Loads a program that decides on a cgroup's device accesses.
 * @param instructions 8 bytes each
 * @throws {SyscallError} `bpf`: EPERM without CAP_BPF or in a user namespace
 */
export function loadDeviceProgram(instructions: Buffer): Fd {
  const license = Buffer.from("Apache\0");
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(BPF_PROG_TYPE_CGROUP_DEVICE, 0);
  attributes.writeUInt32LE(instructions.byteLength / 8, 4);
  attributes.writeBigUInt64LE(addressOf(instructions), 8);
  attributes.writeBigUInt64LE(addressOf(license), 16);
  attributes.write("tsrunc_devices\0", 48, "latin1");
  const fd = bpf(COMMAND.PROG_LOAD, attributes);
  return new Fd(check(fd, "load the eBPF program of the device rules"));
}

/**
 * Makes a program the only one that decides on a cgroup's devices: it replaces those that are attached to this cgroup.
 * There is no moment without a program. Programs of the cgroup's ancestors go on deciding too.
 * @param cgroup descriptor of a cgroup v2 directory
 * @throws {SyscallError} `bpf`
 */
export function attachDeviceProgram(cgroup: number, program: number): void {
  const old = attachedDevicePrograms(cgroup).map(programById);
  try {
    const only = old.length === 1 ? old[0] : undefined;
    const attributes = attachment(cgroup, program);
    attributes.writeUInt32LE(BPF_F_ALLOW_MULTI | (only === undefined ? 0 : BPF_F_REPLACE), 12);
    attributes.writeUInt32LE(only?.number ?? 0, 16);
    check(bpf(COMMAND.PROG_ATTACH, attributes), "attach the eBPF program of the device rules to the cgroup");
    if (only !== undefined) return;
    for (const { number } of old) {
      check(bpf(COMMAND.PROG_DETACH, attachment(cgroup, number)), "detach the cgroup's old eBPF program for devices");
    }
  } finally {
    for (const program of old) program.close();
  }
}

/** Ids of the device programs attached to a cgroup itself. @throws {SyscallError} `bpf` */
export function attachedDevicePrograms(cgroup: number): number[] {
  const ids = new Uint32Array(MAX_PROGRAMS);
  const attributes = Buffer.alloc(64);
  attributes.writeUInt32LE(cgroup, 0);
  attributes.writeUInt32LE(BPF_CGROUP_DEVICE, 4);
  attributes.writeBigUInt64LE(addressOf(ids), 16);
  attributes.writeUInt32LE(MAX_PROGRAMS, 24);
  check(bpf(COMMAND.PROG_QUERY, attributes), "query the cgroup's eBPF programs for devices");
  return [...ids.subarray(0, attributes.readUInt32LE(24))];
}

function programById(id: number): Fd {
  const attributes = Buffer.alloc(16);
  attributes.writeUInt32LE(id, 0);
  return new Fd(check(bpf(COMMAND.PROG_GET_FD_BY_ID, attributes), () => `open eBPF program ${id}`));
}

function attachment(cgroup: number, program: number): Buffer {
  const attributes = Buffer.alloc(24);
  attributes.writeUInt32LE(cgroup, 0);
  attributes.writeUInt32LE(program, 4);
  attributes.writeUInt32LE(BPF_CGROUP_DEVICE, 8);
  return attributes;
}

function bpf(command: number, attributes: Buffer): number {
  return syscall("bpf", command, attributes, attributes.byteLength);
}
