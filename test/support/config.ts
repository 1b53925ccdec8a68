/** The configuration that the tests' containers start from: what engines give theirs, without limits. */
import type { Linux, Process, Root, Spec } from "../../src/config/types.ts";

/** A {@link Spec} whose parts are all there, so that a test edits them in place. */
export type TestSpec = Required<Pick<Spec, "mounts" | "hostname" | "annotations" | "hooks">> &
  Omit<Spec, "process" | "linux" | "root"> & {
    process: Process & Required<Pick<Process, "args" | "env" | "user" | "capabilities" | "rlimits">>;
    linux: Linux & Required<Pick<Linux, "namespaces" | "maskedPaths" | "readonlyPaths" | "resources" | "sysctl">>;
    root: Root;
  };

const capabilities = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_SETGID",
  "CAP_SETUID",
];

/** A new configuration that runs `args` in the busybox of `makeRootfs`. */
export function baseConfig(args: string[]): TestSpec {
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: ["PATH=/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: [...capabilities],
        effective: [...capabilities],
        permitted: [...capabilities],
      },
      rlimits: [],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: false },
    hostname: "container",
    mounts: [
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
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
      },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
      },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    ],
    annotations: {},
    hooks: {},
    linux: {
      namespaces: [{ type: "pid" }, { type: "network" }, { type: "ipc" }, { type: "uts" }, { type: "mount" }],
      resources: { devices: [{ allow: false, access: "rwm" }] },
      maskedPaths: ["/proc/kcore", "/sys/firmware"],
      readonlyPaths: ["/proc/sys"],
      sysctl: {},
    },
  };
}
