/** The configurations that mutations begin with. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Spec } from "../../src/config/types.ts";
import { baseConfig } from "../support/config.ts";

/** Engines' bundles, beside this repository. */
const BUNDLES = "../shared/bundles";

const mapping = [{ containerID: 0, hostID: 100_000, size: 65_536 }];

/**
 * What a configuration may have besides: a part of `linux` or `process` each, so that a mutation finds every field. Those that a container
 * can be run with anywhere are apart: the others touch the host, or ask for what few machines have.
 */
export const HARMLESS_PARTS: readonly ((config: Spec) => void)[] = [
  ({ linux }) => {
    if (linux)
      linux.seccomp = {
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrnoRet: 38,
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        flags: ["SECCOMP_FILTER_FLAG_LOG"],
        syscalls: [
          { names: ["read", "mkdir"], action: "SCMP_ACT_ALLOW" },
          {
            names: ["personality"],
            action: "SCMP_ACT_ERRNO",
            errnoRet: 1,
            args: [{ index: 0, value: 8, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ" }],
          },
        ],
      };
  },
  ({ linux }) => {
    if (linux?.resources)
      Object.assign(linux.resources, {
        memory: {
          limit: 100_000_000,
          swap: 100_000_000,
          reservation: 50_000_000,
          swappiness: 60,
          checkBeforeUpdate: true,
        },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0", mems: "0", idle: 0 },
        pids: { limit: 100 },
        hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
        unified: { "memory.low": "0" },
      });
  },
  ({ linux }) => {
    if (linux?.resources)
      linux.resources.blockIO = {
        weight: 100,
        weightDevice: [{ major: 8, minor: 0, weight: 100 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1_000_000 }],
      };
  },
  ({ linux }) => {
    if (linux)
      Object.assign(linux, {
        sysctl: { "net.ipv4.ip_forward": "1", "kernel.msgmax": "65536" },
        devices: [{ path: "/dev/own", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
        rootfsPropagation: "rprivate",
        personality: { domain: "LINUX" },
      });
    linux?.namespaces?.push({ type: "time" }, { type: "cgroup" });
    if (linux) linux.timeOffsets = { boottime: { secs: 10, nanosecs: 5 }, monotonic: { secs: 1 } };
  },
  ({ linux }) => {
    linux?.namespaces?.push({ type: "user" });
    if (linux) Object.assign(linux, { uidMappings: mapping, gidMappings: mapping });
  },
  ({ process }) => {
    if (process)
      Object.assign(process, {
        rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }],
        ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
        scheduler: { policy: "SCHED_OTHER", nice: 5, flags: [] },
        execCPUAffinity: { initial: "0", final: "0" },
        oomScoreAdj: 100,
        consoleSize: { height: 25, width: 80 },
        user: { uid: 1, gid: 1, umask: 18, additionalGids: [2, 3] },
      });
  },
  ({ mounts }) => {
    mounts?.push(
      { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "size=64k", "tmpcopyup"] },
      { destination: "/cg", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"] },
      {
        destination: "/own",
        type: "bind",
        source: "rootfs",
        options: ["rbind", "rro", "idmap"],
        uidMappings: mapping,
        gidMappings: mapping,
      },
    );
  },
];

const OTHER_PARTS: readonly ((config: Spec) => void)[] = [
  (config) => {
    const hook = { path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 1 };
    config.hooks = {
      prestart: [hook],
      createRuntime: [hook],
      createContainer: [hook],
      startContainer: [hook],
      poststart: [hook],
      poststop: [hook],
    };
    Object.assign(config, {
      domainname: "d",
      annotations: { "run.oci.hooks.stdout": "x", "org.systemd.property.X": "'y'" },
    });
  },
  ({ linux }) => {
    if (linux)
      Object.assign(linux, {
        cgroupsPath: "/a/b",
        netDevices: { eth9: { name: "eth0" } },
        intelRdt: {
          closID: "x",
          schemata: ["L3:0=f"],
          l3CacheSchema: "L3:0=f",
          memBwSchema: "MB:0=10",
          enableMonitoring: true,
        },
        memoryPolicy: { mode: "MPOL_BIND", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
        mountLabel: "system_u:object_r:x_t:s0",
      });
    if (linux?.resources)
      Object.assign(linux.resources, {
        network: { classID: 1, priorities: [{ name: "lo", priority: 1 }] },
        rdma: { mlx5: { hcaHandles: 1, hcaObjects: 2 } },
      });
  },
  ({ process }) => {
    if (process)
      Object.assign(process, {
        apparmorProfile: "unconfined",
        selinuxLabel: "system_u:system_r:x_t:s0",
        commandLine: "x",
        terminal: true,
      });
  },
];

/** A configuration with everything. */
export function wideConfig(): object {
  const wide = baseConfig(["true"]);
  for (const part of [...HARMLESS_PARTS, ...OTHER_PARTS]) part(wide);
  return wide;
}

/** The configurations that parsers are fed with mutations of: the least, one with everything, and those of engines. */
export function seedConfigs(): readonly object[] {
  const engines = existsSync(BUNDLES) ? readdirSync(BUNDLES) : [];
  return [
    baseConfig(["true"]),
    // Twice: most fields are here only.
    ...[wideConfig(), wideConfig()],
    ...engines.map((name) => JSON.parse(readFileSync(join(BUNDLES, name, "config.json"), "utf8")) as object),
  ];
}
