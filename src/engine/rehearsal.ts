/** The bundle of the containers that are made before a snapshot, see `standstill.ts`. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, layOut } from "./elf.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";
import { X86Assembler } from "./x86-64.ts";

/** The programs in it: one ends at once, one waits for ever. */
const PROGRAMS: Readonly<Record<string, (machine: X86Assembler) => void>> = {
  exit: (machine) => machine.syscall("exit_group", 0),
  wait: (machine) => {
    machine.label("again");
    machine.syscall("ppoll", 0, 0, 0, 0, 0);
    machine.jump("again");
  },
};

/**
 * Makes a bundle with what most configurations have: `config.json`, whose process ends at once, and `waiting.json`; and `engines.json` and
 * `engines-waiting.json` with what those of engines have besides, which fewer machines can do.
 * @returns the directory
 */
export function makeRehearsal(directory: string): string {
  const rootfs = join(directory, "rootfs");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(rootfs, { recursive: true });
  for (const [name, write] of Object.entries(PROGRAMS)) {
    const machine = new X86Assembler(SYSCALL_NUMBERS.x86_64);
    write(machine);
    const data = layOut("x86_64", { none: 0 });
    writeFileSync(join(rootfs, name), executable("x86_64", machine.assemble(data.addresses), data));
    chmodSync(join(rootfs, name), 0o755);
  }
  for (const [name, config] of [
    ["config.json", configuration("/exit")],
    ["waiting.json", configuration("/wait")],
    ["engines.json", likeEngines(configuration("/exit"))],
    ["engines-waiting.json", likeEngines(configuration("/wait"))],
  ] as const) {
    writeFileSync(join(directory, name), JSON.stringify(config));
  }
  return directory;
}

/** Adds what Podman and Docker ask for. */
function likeEngines(config: ReturnType<typeof configuration>): object {
  const { process, linux } = config;
  return {
    ...config,
    process: {
      ...process,
      user: { ...process.user, umask: 0o22 },
      rlimits: [...process.rlimits, { type: "RLIMIT_NPROC", hard: 4096, soft: 4096 }],
      oomScoreAdj: 0,
    },
    linux: {
      ...linux,
      sysctl: { "net.ipv4.ping_group_range": "0 0" },
      resources: {
        ...linux.resources,
        memory: { limit: 2 ** 26 },
        cpu: { shares: 1024, quota: 50_000, period: 100_000 },
        pids: { limit: 2048 },
      },
      seccomp: {
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrnoRet: 38,
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        syscalls: [
          { names: ["bdflush", "io_pgetevents"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
          { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
          {
            names: ["personality"],
            action: "SCMP_ACT_ALLOW",
            args: [{ index: 0, value: 0, valueTwo: 0, op: "SCMP_CMP_EQ" }],
          },
        ],
      },
    },
  };
}

/** A configuration like those of engines: for root, or for the user who builds. */
function configuration(program: string) {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  const isRoot = uid === 0;
  const capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID", "CAP_SYS_CHROOT"];
  return {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0, ...(isRoot && { additionalGids: [1] }) },
      args: [program],
      env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs" },
    hostname: "rehearsal",
    mounts: [
      mount("/proc", "proc", ["nosuid", "noexec", "nodev"]),
      mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
      mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
      mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
      mount("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
      isRoot
        ? mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
        : { ...mount("/sys", "none", ["rbind", "nosuid", "noexec", "nodev", "ro"]), source: "/sys" },
      mount("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
      { ...mount("/etc/hosts", "bind", ["rbind", "rprivate", "ro"]), source: "/dev/null" },
    ],
    annotations: { "org.opencontainers.image.stopSignal": "15" },
    linux: {
      ...(isRoot && {
        resources: {
          devices: [
            { allow: false, access: "rwm" },
            { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
          ],
        },
      }),
      namespaces: ["pid", "ipc", "uts", "mount", isRoot ? "network" : "user"].map((type) => ({ type })),
      ...(!isRoot && {
        uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      }),
      maskedPaths: ["/proc/kcore", "/proc/keys", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/sys"],
    },
  };
}

function mount(destination: string, type: string, options: readonly string[]): object {
  return { destination, type, source: type, options };
}
