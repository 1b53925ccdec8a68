/** The configuration that `spec` writes: a shell in a read-only root, to start from. */

import { exists } from "../sys/file.ts";
import { normalize } from "../sys/path-names.ts";
import type { Mount, Spec } from "./types.ts";

/** The version of the runtime-spec that this program implements. */
export const OCI_VERSION = "1.3.0";

/** What tells of the machine, or commands it: hidden from containers. */
export const MASKED_PATHS: readonly string[] = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/sys/firmware",
  "/proc/scsi",
];

/** What containers may see, and not change. */
export const READONLY_PATHS: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/** What the configuration depends on. */
export interface DefaultOptions {
  /** Whether cgroup v2 is the only hierarchy, so that a cgroup namespace makes sense; default: as on this machine. */
  cgroupV2?: boolean;
}

/** The configuration of `spec`. */
export function defaultSpec({ cgroupV2 = exists("/sys/fs/cgroup/cgroup.controllers") }: DefaultOptions = {}): Spec {
  const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  const namespaces = (["pid", "network", "ipc", "uts", "mount"] as const).map((type) => ({ type }));
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: [...capabilities], effective: [...capabilities], permitted: [...capabilities] },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "tsrunc",
    mounts: defaultMounts(),
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: cgroupV2 ? [...namespaces, { type: "cgroup" }] : namespaces,
      maskedPaths: [...MASKED_PATHS],
      readonlyPaths: [...READONLY_PATHS],
    },
  };
}

/** Who a rootless container belongs to. */
export interface RootlessOptions extends DefaultOptions {
  uid?: number;
  gid?: number;
}

/**
 * The configuration of `spec --rootless`: the same for someone who is not root. It has a user namespace in which that
 * user is root, the host's network, and nothing that needs other ids or cgroups.
 */
export function rootlessSpec(options: RootlessOptions = {}): Spec {
  const { uid = process.geteuid?.() ?? 0, gid = process.getegid?.() ?? 0 } = options;
  const spec = defaultSpec(options);
  const { namespaces = [], resources: _, ...linux } = spec.linux ?? {};
  return {
    ...spec,
    mounts: rootlessMounts(),
    linux: {
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      ...linux,
      namespaces: [...namespaces.filter(({ type }) => type !== "network"), { type: "user" }],
    },
  };
}

/** The same for a container of someone who is not root. */
export function rootlessMounts(): Mount[] {
  return defaultMounts().map(rootlessMount);
}

/** Only the owner of the network namespace may mount a sysfs; and options naming other ids are refused by the kernel. */
function rootlessMount(mount: Mount): Mount {
  if (normalize(mount.destination) === "/sys") {
    const options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
    return { destination: "/sys", type: "none", source: "/sys", options };
  }
  if (mount.options === undefined) return mount;
  return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) };
}

/** What every container has mounted. */
export function defaultMounts(): Mount[] {
  const restricted = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...restricted, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: [...restricted] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...restricted, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...restricted, "relatime", "ro"] },
  ];
}
