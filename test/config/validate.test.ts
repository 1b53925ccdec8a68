/** The rules that no schema states: one case each, and where the error points. */
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { isSpec } from "../../src/config/generated/config.js";
import { check } from "../../src/config/schema.ts";
import type { IdMapping, Linux, Namespace, NamespaceType, Process, Spec } from "../../src/config/types.ts";
import { validateMeaning } from "../../src/config/validate.ts";
import { baseConfig, type TestSpec } from "../support/config.ts";

const asRoot = { euid: 0, inUserNamespace: false, forCreate: true };
const asUser = { ...asRoot, euid: 1000 };

type Edit = (spec: TestSpec) => void;

/** What comes of a good configuration after an edit, which must still pass the schema. */
function judge(edit: Edit, asker = asRoot): { pointer: string; rule: string } | string[] {
  const spec: unknown = baseConfig(["true"]);
  edit(spec as TestSpec);
  check(isSpec, spec, "config.json");
  try {
    return validateMeaning(spec, asker).warnings;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { pointer: error.pointer, rule: error.rule };
  }
}

function refused(edit: Edit, pointer: string, rule: RegExp, asker = asRoot): void {
  expect(judge(edit, asker)).toEqual({ pointer, rule: expect.stringMatching(rule) });
}

function accepted(edit: Edit, asker = asRoot): void {
  expect(judge(edit, asker)).toEqual([]);
}

const onLinux =
  (part: Linux): Edit =>
  (spec) =>
    void Object.assign(spec.linux, part);
const onProcess =
  (part: Partial<Process>): Edit =>
  (spec) =>
    void Object.assign(spec.process, part);
const also =
  (...edits: Edit[]): Edit =>
  (spec) =>
    void edits.forEach((edit) => void edit(spec));

const without =
  (type: NamespaceType): Edit =>
  ({ linux }) => {
    linux.namespaces = linux.namespaces.filter((namespace) => namespace.type !== type);
  };
const withNamespace =
  (namespace: Namespace): Edit =>
  (spec) => {
    without(namespace.type)(spec);
    spec.linux.namespaces.push(namespace);
  };
const map = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });
const mapped = onLinux({ uidMappings: [map(0, 1000, 1)], gidMappings: [map(0, 1000, 1)] });
const userNamespace = also(withNamespace({ type: "user" }), mapped);

test("the configuration that the cases start from is good", () => {
  accepted(() => {});
});

describe("ociVersion", () => {
  const version =
    (ociVersion: string): Edit =>
    (spec) =>
      void Object.assign(spec, { ociVersion });
  test.each(["1.0.0", "1.0.2-dev", "1.3.0", "1.99.0-rc.1+x"])("%s is supported", (text) => accepted(version(text)));
  test.each(["2.0.0", "10.0.0"])("%s is not", (text) => refused(version(text), "/ociVersion", /only versions 1\.x/));
  test.each(["", "1", "1.0", "v1.0.0", "latest"])("%j is no version", (text) =>
    refused(version(text), "/ociVersion", /SemVer/),
  );
  test("a version before 1.0 is warned of", () => {
    expect(judge(version("0.5.0-dev"))).toEqual([expect.stringContaining("/ociVersion")]);
  });
});

describe("root and names", () => {
  test("there must be a root", () =>
    refused((spec) => void delete (spec as Spec).root, "/root", /root must be specified/));
  test("its path must not be empty", () => refused((spec) => void (spec.root.path = ""), "/root/path", /empty/));
  test("a path with a NUL is refused", () =>
    refused((spec) => void (spec.root.path = "a\0b"), "/root/path", /null byte/));
  test("a hostname needs a UTS namespace", () => {
    refused(
      also((spec) => void (spec.hostname = "x"), without("uts")),
      "/hostname",
      /set hostname without a private UTS/,
    );
  });
  test("a domainname needs a UTS namespace", () => {
    const edit: Edit = (spec) => void Object.assign(spec, { hostname: "", domainname: "x" });
    refused(also(edit, without("uts")), "/domainname", /set domainname without a private UTS/);
  });
  test("a UTS namespace that is joined will do", () =>
    accepted(withNamespace({ type: "uts", path: "/proc/1/ns/uts" })));
});

describe("process", () => {
  test("create needs one", () => {
    refused((spec) => void delete (spec as Spec).process, "/process", /process property must not be empty/);
  });
  test("validation alone warns that there is none", () => {
    const warnings = judge((spec) => void delete (spec as Spec).process, { ...asRoot, forCreate: false });
    expect(warnings).toEqual([expect.stringMatching(/^\/process: no container/)]);
  });
  test.each<[Partial<Process>, string, RegExp]>([
    [{ cwd: "tmp" }, "/process/cwd", /^must be an absolute path$/],
    [{ cwd: "" }, "/process/cwd", /empty/],
    [{ cwd: "/\0" }, "/process/cwd", /null byte/],
    [{ args: [] }, "/process/args", /args must not be empty/],
    [{ args: ["true", "\0"] }, "/process/args/1", /null byte/],
    [{ env: ["PATH=/bin", "FOO"] }, "/process/env/1", /NAME=value/],
    [{ env: ["=x"] }, "/process/env/0", /NAME=value/],
    [{ env: ["A=\0"] }, "/process/env/0", /null byte/],
    [{ oomScoreAdj: 1001 }, "/process/oomScoreAdj", /-1000 to 1000/],
    [{ oomScoreAdj: -1001 }, "/process/oomScoreAdj", /-1000 to 1000/],
    [{ selinuxLabel: "container_t" }, "/process/selinuxLabel", /user:role:type/],
    [{ rlimits: [{ type: "RLIMIT_FOO", soft: 1, hard: 1 }] }, "/process/rlimits/0/type", /wrong rlimit value/],
    [{ rlimits: [{ type: "RLIMIT_CPU", soft: 2, hard: 1 }] }, "/process/rlimits/0/soft", /hard limit 1/],
    [
      { rlimits: ["RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_CPU"].map((type) => ({ type, soft: 1, hard: 1 })) },
      "/process/rlimits/2/type",
      /duplicated/,
    ],
    [{ scheduler: { policy: "SCHED_ISO" } }, "/process/scheduler/policy", /no kernel/],
    [{ scheduler: { policy: "SCHED_OTHER", nice: 20 } }, "/process/scheduler/nice", /-20 to 19/],
    [{ scheduler: { policy: "SCHED_BATCH", nice: -21 } }, "/process/scheduler/nice", /-20 to 19/],
    [
      { scheduler: { policy: "SCHED_OTHER", priority: 1 } },
      "/process/scheduler/priority",
      /only be specified for SCHED_FIFO/,
    ],
    [{ scheduler: { policy: "SCHED_FIFO", priority: 100 } }, "/process/scheduler/priority", /1 to 99/],
    [{ scheduler: { policy: "SCHED_RR" } }, "/process/scheduler/priority", /1 to 99/],
    [{ scheduler: { policy: "SCHED_OTHER", runtime: 1 } }, "/process/scheduler/runtime", /SCHED_DEADLINE/],
    [
      { scheduler: { policy: "SCHED_FIFO", priority: 1, deadline: 1 } },
      "/process/scheduler/deadline",
      /SCHED_DEADLINE/,
    ],
    [{ scheduler: { policy: "SCHED_IDLE", period: 1 } }, "/process/scheduler/period", /SCHED_DEADLINE/],
    [{ ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } }, "/process/ioPriority/priority", /0 to 7/],
    [{ ioPriority: { class: "IOPRIO_CLASS_BE", priority: -1 } }, "/process/ioPriority/priority", /0 to 7/],
    [{ execCPUAffinity: { initial: "3-1" } }, "/process/execCPUAffinity/initial", /bad CPUAffinity/],
    [{ execCPUAffinity: { final: "0-" } }, "/process/execCPUAffinity/final", /bad CPUAffinity/],
    [{ execCPUAffinity: { final: "99999999" } }, "/process/execCPUAffinity/final", /bad CPUAffinity/],
  ])("%j is refused", (part, pointer, rule) => refused(onProcess(part), pointer, rule));

  test.each<Partial<Process>>([
    { env: ["A=", "B==", "C=\n"] },
    { rlimits: [{ type: "RLIMIT_NOFILE", soft: 18446744073709551615, hard: 18446744073709551615 }] },
    { scheduler: { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3 } },
    { scheduler: { policy: "SCHED_FIFO", priority: 99, flags: ["SCHED_FLAG_RESET_ON_FORK"] } },
    { ioPriority: { class: "IOPRIO_CLASS_IDLE" } },
    { execCPUAffinity: { initial: "0-3, 7", final: "" } },
    { selinuxLabel: "system_u:system_r:container_t:s0:c4,c5" },
  ])("%j is accepted", (part) => accepted(onProcess(part)));
});

describe("namespaces", () => {
  test("each type may be there once", () => {
    refused(
      ({ linux }) => void (linux.namespaces = [{ type: "pid" }, { type: "uts" }, { type: "mount" }, { type: "pid" }]),
      "/linux/namespaces/3/type",
      /duplicated/,
    );
  });
  test("a path must be absolute", () => {
    refused(
      ({ linux }) => void linux.namespaces.unshift({ type: "time", path: "ns/time" }),
      "/linux/namespaces/0/path",
      /absolute/,
    );
  });
  test("an empty path is none", () => accepted(withNamespace({ type: "ipc", path: "" })));
  test.each(["maskedPaths", "readonlyPaths"] as const)("%s need a mount namespace", (name) => {
    refused(
      also(onLinux({ maskedPaths: [], readonlyPaths: [], [name]: ["/x"] }), without("mount")),
      `/linux/${name}`,
      /private MNT/,
    );
  });
  test("a relative path to mask is warned of", () => {
    expect(judge(onLinux({ maskedPaths: ["proc/x"] }))).toEqual([expect.stringContaining("/linux/maskedPaths/0")]);
  });

  describe("timeOffsets", () => {
    const offsets = (timeOffsets: object) => onLinux({ timeOffsets });
    const time = withNamespace({ type: "time" });
    test("need a time namespace", () => {
      refused(offsets({ monotonic: { secs: 1 } }), "/linux/timeOffsets", /time namespace isn't enabled/);
    });
    test("need a new one", () => {
      const joined = withNamespace({ type: "time", path: "/proc/1/ns/time" });
      refused(also(joined, offsets({ monotonic: { secs: 1 } })), "/linux/timeOffsets", /cannot be changed/);
    });
    test("are of clocks that the namespace has", () => {
      refused(also(time, offsets({ realtime: { secs: 1 } })), "/linux/timeOffsets/realtime", /no clock/);
    });
    test("have less than a second of nanoseconds", () => {
      refused(
        also(time, offsets({ boottime: { nanosecs: 1e9 } })),
        "/linux/timeOffsets/boottime/nanosecs",
        /less than/,
      );
    });
    test("may be negative", () =>
      accepted(also(time, offsets({ monotonic: { secs: -5, nanosecs: 999999999 }, boottime: {} }))));
  });
});

describe("user namespaces", () => {
  const user = withNamespace({ type: "user" });
  test("mappings need one", () => refused(mapped, "/linux/uidMappings", /user namespace isn't enabled/));
  test("a new one needs mappings", () => {
    refused(user, "/linux/uidMappings", /no namespace path to join nor mappings/);
  });
  test("a new one needs both mappings", () => {
    refused(also(user, onLinux({ uidMappings: [map(0, 0, 1)] })), "/linux/gidMappings", /no gid mappings found/);
    refused(also(user, onLinux({ gidMappings: [map(0, 0, 1)] })), "/linux/uidMappings", /no uid mappings found/);
  });
  test("its root must be mapped", () => {
    refused(
      also(userNamespace, onLinux({ gidMappings: [map(1, 1, 5)] })),
      "/linux/gidMappings",
      /no mapping found for gid 0/,
    );
  });
  test("one with both is good", () => accepted(userNamespace));
  test("one to join needs none", () => accepted(withNamespace({ type: "user", path: "/proc/1/ns/user" })));
  test("mappings of one to join are warned of", () => {
    expect(judge(also(withNamespace({ type: "user", path: "/x" }), mapped))).toEqual([expect.stringContaining("/x")]);
  });
  test.each<[string, IdMapping[], string, RegExp]>([
    ["of no ids", [map(0, 0, 1), map(1, 1, 0)], "/linux/uidMappings/1/size", /must not be 0/],
    ["beyond the last id", [map(0, 0, 1), map(1, 4294967295, 2)], "/linux/uidMappings/1/size", /last id/],
    ["that overlap inside", [map(0, 0, 10), map(9, 100, 1)], "/linux/uidMappings/1", /overlaps/],
    ["that overlap outside", [map(0, 0, 10), map(10, 9, 1)], "/linux/uidMappings/1", /overlaps/],
    ["too many", Array.from({ length: 341 }, (_, id) => map(id, id, 1)), "/linux/uidMappings", /341 ranges/],
  ])("ranges %s are refused", (_, uidMappings, pointer, rule) => {
    refused(also(userNamespace, onLinux({ uidMappings })), pointer, rule);
  });
  test("340 ranges of one user's neighbours are accepted", () => {
    accepted(also(userNamespace, onLinux({ uidMappings: Array.from({ length: 340 }, (_, id) => map(id, id, 1)) })));
  });
});

describe("a runtime that is not root", () => {
  test("needs a user namespace", () => {
    refused(() => {}, "/linux/namespaces", /rootless container requires user namespaces/, asUser);
  });
  test("is content with one", () => accepted(userNamespace, asUser));
  test("is content with one to join", () => accepted(withNamespace({ type: "user", path: "/proc/1/ns/user" }), asUser));
  test.each(["uid=1", "gid=5"])("may not mount with %s when that is not mapped", (option) => {
    const mounts: Edit = (spec) => void (spec.mounts = [{ destination: "/x", type: "tmpfs", options: ["ro", option] }]);
    refused(also(userNamespace, mounts), "/mounts/0/options/1", /cannot specify .* rootless container/, asUser);
    accepted(also(userNamespace, mounts));
  });
  test("may mount with ids that are mapped", () => {
    const mounts: Edit = (spec) =>
      void (spec.mounts = [{ destination: "/x", type: "tmpfs", options: ["uid=0", "gid=0"] }]);
    accepted(also(userNamespace, mounts), asUser);
  });
});

describe("mounts", () => {
  const mount =
    (entry: Spec["mounts"] extends (infer M)[] | undefined ? M : never): Edit =>
    (spec) =>
      void (spec.mounts = [entry]);
  const ids = [map(0, 1000, 1)];
  const bind = { destination: "/x", source: "/y", options: ["rbind"] };

  test("a relative destination is warned of", () => {
    expect(judge(mount({ ...bind, destination: "x" }))).toEqual([
      expect.stringMatching(/^\/mounts\/0\/destination: "x"/),
    ]);
  });
  test.each<[object, string, RegExp]>([
    [{ destination: "" }, "/mounts/0/destination", /empty/],
    [{ destination: "/\0" }, "/mounts/0/destination", /null byte/],
    [{ source: "\0" }, "/mounts/0/source", /null byte/],
    [{ type: "\0" }, "/mounts/0/type", /null byte/],
    [{ options: ["bind", "\0"] }, "/mounts/0/options/1", /null byte/],
    [
      { options: ["bind", "ro", "mode=755"] },
      "/mounts/0/options",
      /bind mounts cannot have any filesystem-specific options/,
    ],
    [{ options: [], uidMappings: ids, gidMappings: ids }, "/mounts/0", /only supported for bind-mounts/],
    [{ options: ["ridmap"] }, "/mounts/0", /only supported for bind-mounts/],
    [{ uidMappings: ids }, "/mounts/0", /both uid and gid mappings/],
    [{ gidMappings: ids }, "/mounts/0", /both uid and gid mappings/],
    [{ uidMappings: ids, gidMappings: [] }, "/mounts/0", /both uid and gid mappings/],
    [{ options: ["bind", "idmap"] }, "/mounts/0", /no user namespace to take them from/],
    [{ uidMappings: [map(0, 0, 0)], gidMappings: ids }, "/mounts/0/uidMappings/0/size", /must not be 0/],
  ])("%j is refused", (part, pointer, rule) => refused(mount({ ...bind, ...part }), pointer, rule));

  test("an id-mapped bind mount is accepted", () => accepted(mount({ ...bind, uidMappings: ids, gidMappings: ids })));
  test("idmap takes the mappings of the user namespace", () => {
    accepted(also(userNamespace, mount({ ...bind, options: ["rbind", "ridmap"] })));
  });
  test("an id-mapped mount needs root", () => {
    refused(also(userNamespace, mount({ ...bind, options: ["rbind", "idmap"] })), "/mounts/0", /rootless/, asUser);
  });
  test("a filesystem has options of its own", () => {
    accepted(mount({ destination: "/x", type: "tmpfs", options: ["mode=755", "size=1m"] }));
  });
});

describe("hooks", () => {
  test.each<[object, string, RegExp]>([
    [{ prestart: [{ path: "/x" }, { path: "x" }] }, "/hooks/prestart/1/path", /absolute/],
    [{ poststop: [{ path: "" }] }, "/hooks/poststop/0/path", /absolute/],
    [{ createContainer: [{ path: "/x", args: ["\0"] }] }, "/hooks/createContainer/0/args/0", /null byte/],
    [{ startContainer: [{ path: "/x", env: ["A=\0"] }] }, "/hooks/startContainer/0/env/0", /null byte/],
  ])("%j is refused", (hooks, pointer, rule) => refused((spec) => void Object.assign(spec, { hooks }), pointer, rule));
  test("a kind that is none is ignored", () => accepted((spec) => void Object.assign(spec, { hooks: { later: "x" } })));
});

describe("devices and labels", () => {
  const device = (part: object) => onLinux({ devices: [{ type: "c", path: "/dev/x", major: 1, minor: 3, ...part }] });
  test.each<[object, string, RegExp]>([
    [{ path: "\0" }, "/linux/devices/0/path", /null byte/],
    [{ major: -1 }, "/linux/devices/0/major", /0 to 4095/],
    [{ major: 4096 }, "/linux/devices/0/major", /0 to 4095/],
    [{ minor: 1048576 }, "/linux/devices/0/minor", /0 to 1048575/],
  ])("a device with %j is refused", (part, pointer, rule) => refused(device(part), pointer, rule));
  test("a FIFO has no numbers", () =>
    accepted(onLinux({ devices: [{ type: "p", path: "/dev/x", major: -1, minor: -1 }] })));
  test("a mount label has its parts", () => {
    refused(onLinux({ mountLabel: "x" }), "/linux/mountLabel", /user:role:type/);
    accepted(onLinux({ mountLabel: "system_u:object_r:container_file_t:s0" }));
  });
  test("the cgroup's path has no NUL", () =>
    refused(onLinux({ cgroupsPath: "\0" }), "/linux/cgroupsPath", /null byte/));
});

describe("sysctl", () => {
  const sysctl = (name: string): Edit => onLinux({ sysctl: { [name]: "1" } });
  test.each<[string, NamespaceType, RegExp]>([
    ["kernel.msgmax", "ipc", /not allowed in the hosts ipc namespace/],
    ["kernel.shm_rmid_forced", "ipc", /not allowed in the hosts ipc namespace/],
    ["fs.mqueue.msg_max", "ipc", /not allowed in the hosts ipc namespace/],
    ["net.ipv4.ip_forward", "network", /not allowed in host network namespace/],
    ["net/ipv4/ip_forward", "network", /not allowed in host network namespace/],
    ["kernel.domainname", "uts", /not in a separate kernel namespace/],
  ])("%s needs a %s namespace", (name, type, rule) => {
    const named: Edit = (spec) => void (spec.hostname = "");
    refused(also(named, sysctl(name), without(type)), `/linux/sysctl/${name.replaceAll("/", "~1")}`, rule);
    accepted(sysctl(name));
  });
  test("user.* needs a user namespace", () => {
    refused(
      sysctl("user.max_user_namespaces"),
      "/linux/sysctl/user.max_user_namespaces",
      /ucounts without a user namespace/,
    );
    accepted(also(userNamespace, sysctl("user.max_user_namespaces")));
  });
  test("kernel.hostname is what hostname is for", () => {
    refused(sysctl("kernel.hostname"), "/linux/sysctl/kernel.hostname", /conflicts with the OCI "hostname" field/);
  });
  test.each(["vm.swappiness", "kernel.msgmaxx", "kernel.core_pattern", "fs.file-max", "netx.y", "", "x"])(
    "%j belongs to the whole machine",
    (name) => refused(sysctl(name), `/linux/sysctl/${name}`, /not in a separate kernel namespace|not the name/),
  );
  test.each(["net.//.kernel.core_pattern", "net/../kernel/core_pattern", "net..x", "net.", "net./.x"])(
    "%j leads out of its prefix",
    (name) =>
      refused(sysctl(name), `/linux/sysctl/${name.replaceAll("/", "~1")}`, /not the name of a kernel parameter/),
  );
  test("a name with a dot in a part is written with slashes", () =>
    accepted(sysctl("net/ipv4/conf/eth0.1/forwarding")));
});

describe("resources", () => {
  const resources = (part: object) => onLinux({ resources: part });
  test.each<[object, string, RegExp]>([
    [{ devices: [{ allow: true }] }, "/devices/0/access", /device access at 0 field cannot be empty/],
    [{ devices: [{ allow: true, type: "p", access: "r" }] }, "/devices/0/type", /invalid cgroup device type/],
    [{ memory: { limit: 2, swap: 1 } }, "/memory/swap", /below the memory limit 2/],
    [{ memory: { swappiness: 101 } }, "/memory/swappiness", /0 to 100/],
    [{ cpu: { quota: 1000, burst: 1001 } }, "/cpu/burst", /quota 1000/],
    [{ cpu: { idle: 2 } }, "/cpu/idle", /0 or 1/],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }, "/blockIO/weightDevice/0", /weight, a leafWeight/],
    [{ rdma: { "a/b": {} } }, "/rdma/a~1b", /hcaHandles, hcaObjects/],
    [{ unified: { "../x": "1" } }, "/unified/..~1x", /without slashes/],
    [{ unified: { "..": "1" } }, "/unified/..", /without slashes/],
  ])("%j is refused", (part, pointer, rule) => refused(resources(part), `/linux/resources${pointer}`, rule));

  test.each<object>([
    { blockIO: { weight: 0 }, cpu: { shares: 0, quota: -1 }, memory: { limit: -1, swap: -1 } },
    { memory: { limit: 2, swap: 2, swappiness: 100 }, pids: { limit: 0 } },
    { cpu: { quota: -1, burst: 5, idle: 1 } },
    {
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: -1, access: "r" },
      ],
    },
    { unified: { "memory.high": "max" } },
  ])("%j is accepted", (part) => accepted(resources(part)));

  test("limits of kernel memory are warned of", () => {
    expect(judge(resources({ memory: { kernel: 1 } }))).toEqual([expect.stringContaining("/linux/resources/memory")]);
  });
});

describe("seccomp", () => {
  const seccomp = (part: object) => onLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...part } });
  const call = (part: object, rest = {}) =>
    seccomp({ syscalls: [{ names: ["x"], action: "SCMP_ACT_ERRNO", ...part }], ...rest });
  const notify = { action: "SCMP_ACT_NOTIFY" };
  test.each<[string, Edit, string, RegExp]>([
    [
      "an argument beyond the sixth",
      call({ args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }),
      "/syscalls/0/args/0/index",
      /0 to 5/,
    ],
    [
      "an errno with an action that returns none",
      call({ action: "SCMP_ACT_ALLOW", errnoRet: 1 }),
      "/syscalls/0/errnoRet",
      /not with SCMP_ACT_ALLOW/,
    ],
    [
      "a default errno with such an action",
      seccomp({ defaultErrnoRet: 1 }),
      "/defaultErrnoRet",
      /not with SCMP_ACT_ALLOW/,
    ],
    [
      "notification by default",
      seccomp({ defaultAction: "SCMP_ACT_NOTIFY" }),
      "/defaultAction",
      /cannot be used as default action/,
    ],
    ["notification to nobody", call(notify), "/syscalls/0/action", /needs a listenerPath/],
    [
      "notification of write",
      call({ ...notify, names: ["mkdir", "write"] }, { listenerPath: "/x" }),
      "/syscalls/0/names",
      /cannot be used for the write/,
    ],
    ["metadata for nobody", seccomp({ listenerMetadata: "x" }), "/listenerMetadata", /listenerPath is not/],
  ])("%s is refused", (_, edit, pointer, rule) => refused(edit, `/linux/seccomp${pointer}`, rule));
  test("errnos of actions that return them are accepted", () => {
    accepted(also(call({ errnoRet: 38 }), call({ action: "SCMP_ACT_TRACE", errnoRet: 5 })));
  });
  test("a listener that nothing notifies is accepted", () =>
    accepted(seccomp({ listenerPath: "/x", listenerMetadata: "x" })));
});

describe("intelRdt", () => {
  test.each<[object, string, RegExp]>([
    [{ closID: "." }, "/closID", /invalid intelRdt.ClosID/],
    [{ closID: ".." }, "/closID", /invalid intelRdt.ClosID/],
    [{ closID: "a/b" }, "/closID", /invalid intelRdt.ClosID/],
    [{ l3CacheSchema: "L3:0=f\nL3:1=f" }, "/l3CacheSchema", /one line/],
    [{ schemata: ["MB:0=1", "a\nb"] }, "/schemata/1", /one line/],
  ])("%j is refused", (intelRdt, pointer, rule) => refused(onLinux({ intelRdt }), `/linux/intelRdt${pointer}`, rule));
  test.each([{ closID: "/" }, { closID: "guaranteed" }, {}])("%j is accepted", (intelRdt) =>
    accepted(onLinux({ intelRdt })),
  );
});

describe("memoryPolicy", () => {
  test.each<[Linux["memoryPolicy"] & object, string, RegExp]>([
    [{ mode: "MPOL_DEFAULT", nodes: "0-7" }, "/nodes", /mode requires 0 nodes but got 8/],
    [{ mode: "MPOL_LOCAL", nodes: "1" }, "/nodes", /mode requires 0 nodes but got 1/],
    [{ mode: "MPOL_BIND" }, "/nodes", /at least one node/],
    [{ mode: "MPOL_INTERLEAVE", nodes: "" }, "/nodes", /at least one node/],
    [{ mode: "MPOL_BIND", nodes: "0-9876543210", flags: [] }, "/nodes", /invalid memory policy node/],
    [{ mode: "MPOL_BIND", nodes: "x" }, "/nodes", /invalid memory policy node/],
    [
      { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"] },
      "/flags",
      /invalid memory policy flag/,
    ],
  ])("%j is refused", (memoryPolicy, pointer, rule) =>
    refused(onLinux({ memoryPolicy }), `/linux/memoryPolicy${pointer}`, rule),
  );
  test.each<Linux["memoryPolicy"] & object>([
    { mode: "MPOL_DEFAULT" },
    { mode: "MPOL_PREFERRED" },
    { mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"] },
    { mode: "MPOL_WEIGHTED_INTERLEAVE", nodes: "0-1" },
  ])("%j is accepted", (memoryPolicy) => accepted(onLinux({ memoryPolicy })));
});

describe("netDevices", () => {
  const devices = (netDevices: Record<string, { name?: string }>) => onLinux({ netDevices });
  test.each<[Record<string, { name?: string }>, string, RegExp]>([
    [{ "..": {} }, "/..", /invalid network device name/],
    [{ "a:b": {} }, "/a:b", /invalid network device name/],
    [{ "a b": {} }, "/a b", /invalid network device name/],
    [{ eth0123456789012: {} }, "/eth0123456789012", /invalid network device name/],
    [{ eth0: { name: "a/b" } }, "/eth0/name", /invalid network device name/],
    [{ eth0: { name: "x" }, eth1: { name: "x" } }, "/eth1", /would be called x/],
    [{ eth0: { name: "eth1" }, eth1: {} }, "/eth1", /would be called eth1/],
  ])("%j is refused", (netDevices, pointer, rule) => refused(devices(netDevices), `/linux/netDevices${pointer}`, rule));
  test("need a network namespace", () => {
    refused(also(devices({ eth0: {} }), without("network")), "/linux/netDevices", /without a NET namespace/);
  });
  test("need root, the real one", () => {
    refused(also(userNamespace, devices({ eth0: {} })), "/linux/netDevices", /rootless/, asUser);
    refused(devices({ eth0: {} }), "/linux/netDevices", /rootless/, { ...asRoot, inUserNamespace: true });
  });
  test("may be numbered by the kernel", () =>
    accepted(devices({ eth0: { name: "net%d" }, eth1: { name: "net%d" }, eth2: {} })));
});
