import { describe, expect, test } from "vitest";
import { CGROUP_MODE, NETWORK_LOCK, TYPE } from "../../src/criu/messages.ts";
import type { DumpOptions } from "../../src/criu/options.ts";
import {
  type DumpInput,
  dumpRequest,
  inheritedNamespaces,
  inheritedPipes,
  restoreRequest,
} from "../../src/criu/request.ts";

const choices: DumpOptions = {
  imagePath: "/images",
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  lazyPages: false,
  autoDedup: false,
  manageCgroupsMode: "default",
  leaveRunning: false,
  preDump: false,
  tcpSkipInFlight: false,
  linkRemap: false,
};

function dump(options: Partial<DumpOptions> = {}, input: Partial<DumpInput> = {}) {
  return dumpRequest({
    options: { ...choices, ...options },
    hasWork: false,
    configFile: null,
    mounts: [],
    pid: 42,
    rootfs: "/bundle/rootfs",
    freezer: null,
    external: [],
    ...input,
  });
}

describe("a dump", () => {
  test("of a container that asks for nothing", () => {
    expect(dump()).toEqual({
      type: TYPE.DUMP,
      opts: {
        images_dir_fd: 4,
        pid: 42,
        root: "/bundle/rootfs",
        log_level: 4,
        log_file: "dump.log",
        notify_scripts: true,
        manage_cgroups: true,
        manage_cgroups_mode: 6,
        leave_running: false,
        tcp_established: false,
        tcp_skip_in_flight: false,
        ext_unix_sk: false,
        shell_job: false,
        file_locks: false,
        link_remap: false,
        lazy_pages: false,
        auto_dedup: false,
        empty_ns: 0x40000000,
        orphan_pts_master: true,
        external: [],
        ext_mnt: [],
      },
    });
  });

  test.each([
    ["tcpEstablished", "tcp_established"],
    ["tcpSkipInFlight", "tcp_skip_in_flight"],
    ["extUnixSk", "ext_unix_sk"],
    ["shellJob", "shell_job"],
    ["fileLocks", "file_locks"],
    ["linkRemap", "link_remap"],
    ["lazyPages", "lazy_pages"],
    ["autoDedup", "auto_dedup"],
    ["leaveRunning", "leave_running"],
  ] as const)("%s is %s", (option, name) => {
    const { opts } = dump({ [option]: true });
    expect(opts).toEqual({ ...dump().opts, [name]: true });
  });

  test("of memory alone, after another one", () => {
    const { type, opts } = dump({ preDump: true, parentPath: "../1" });
    expect(type).toBe(TYPE.PRE_DUMP);
    expect(opts).toMatchObject({ parent_img: "../1", track_mem: true });
  });

  test("with all that is handed on", () => {
    const { opts } = dump(
      { pageServer: { address: "::1", port: 27 } },
      {
        hasWork: true,
        freezer: "/sys/fs/cgroup/web",
        configFile: "/etc/criu/x.conf",
        external: ["net[7]:extRootNetNS"],
      },
    );
    expect(opts).toMatchObject({
      ps: { address: "::1", port: 27 },
      work_dir_fd: 5,
      freeze_cgroup: "/sys/fs/cgroup/web",
      config_file: "/etc/criu/x.conf",
      external: ["net[7]:extRootNetNS"],
    });
  });

  test.each(Object.entries(NETWORK_LOCK))("packets are kept away by %s, which is sent as %i", (networkLock, number) => {
    expect(dump({ networkLock: networkLock as keyof typeof NETWORK_LOCK }).opts).toMatchObject({
      network_lock: number,
    });
  });

  test.each(Object.entries(CGROUP_MODE))("cgroups mode %s is sent as %i", (mode, number) => {
    const { opts } = dump({ manageCgroupsMode: mode as keyof typeof CGROUP_MODE });
    expect(opts).toMatchObject({ manage_cgroups_mode: number, manage_cgroups: mode !== "ignore" });
  });
});

test("a restoration", () => {
  const { type, opts } = restoreRequest({
    options: { ...choices, tcpClose: true, networkLock: "skip", lsmProfile: "apparmor:web", lsmMountContext: "c" },
    hasWork: false,
    configFile: null,
    mounts: [{ key: "/data", val: "/srv/data" }],
    root: "/run/tsrunc/web/criu/root",
    spec: {
      ociVersion: "1.0.2",
      linux: {
        namespaces: [
          { type: "network", path: "/run/netns/a" },
          { type: "uts", path: "/proc/1/ns/uts" },
          { type: "mount" },
        ],
      },
    },
    inherited: [
      ...inheritedNamespaces(["network", "pid"]),
      ...inheritedPipes(["/dev/null", "pipe:[1]", "pipe:[2]", "pipe:[3]"]),
    ],
    cgroups: new Map([["", "/web"]]),
  });
  expect(type).toBe(TYPE.RESTORE);
  expect(opts).toMatchObject({
    log_file: "restore.log",
    root: "/run/tsrunc/web/criu/root",
    rst_sibling: true,
    evasive_devices: true,
    tcp_close: true,
    network_lock: 3,
    orphan_pts_master: true,
    ext_mnt: [{ key: "/data", val: "/srv/data" }],
    inherit_fd: [
      { key: "extRootNetNS", fd: 6 },
      { key: "extRootPidNS", fd: 7 },
      { key: "pipe:[1]", fd: 1 },
      { key: "pipe:[2]", fd: 2 },
    ],
    join_ns: [{ ns: "uts", ns_file: "/proc/1/ns/uts" }],
    cg_root: [{ ctrl: "", path: "/web" }],
    lsm_profile: "apparmor:web",
    lsm_mount_context: "c",
  });
});
