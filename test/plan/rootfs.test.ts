import { describe, expect, test } from "vitest";
import type { Linux, Mount, NamespaceType, Spec } from "../../src/config/types.ts";
import { type CgroupAt, describeRootfs, planRootfs, type RootfsInput, type RootfsStep } from "../../src/plan/rootfs.ts";
import { rootHost } from "../support/host.ts";

const MOUNT_NAMESPACE = [{ type: "mount" as const }];

interface Request {
  mounts?: Mount[];
  linux?: Linux;
  readonly?: boolean;
  namespaces?: NamespaceType[];
  input?: Partial<RootfsInput>;
  euid?: number;
  selinux?: boolean;
}

function plan({
  mounts = [],
  linux = {},
  readonly = false,
  namespaces = ["mount"],
  input = {},
  euid = 0,
  selinux = false,
}: Request = {}) {
  const spec: Spec = {
    ociVersion: "1.3.0",
    root: { path: "rootfs", readonly },
    mounts,
    linux: { namespaces: namespaces.map((type) => ({ type })), ...linux },
  };
  return planRootfs({
    spec,
    bundle: "/bundle",
    rootfsPath: "/bundle/rootfs",
    host: { ...rootHost, euid, selinux },
    noPivot: false,
    userNamespace: namespaces.includes("user"),
    cgroups: [],
    ...input,
  });
}

function words(step: object): string {
  const { kind } = step as RootfsStep;
  return (describeRootfs as Record<string, (step: object) => string>)[kind]?.(step) ?? kind;
}

function kinds(steps: readonly { kind: string }[]): string[] {
  return steps.map(({ kind }) => kind);
}

function mountsOf(request: Request): RootfsStep[] {
  return plan(request).beforeHooks.filter(({ kind }) => kind === "mount" || kind === "bind");
}

describe("the root mount", () => {
  test("is a private copy in a tree of slaves", () => {
    expect(plan().beforeHooks.slice(0, 3)).toEqual([
      { kind: "set-umask", mask: 0 },
      {
        kind: "set-root-propagation",
        pointer: "/linux/rootfsPropagation",
        propagation: { type: "slave", recursive: true },
      },
      { kind: "bind-rootfs", pointer: "/root/path", path: "/bundle/rootfs", propagation: "private" },
    ]);
  });

  test.each(["shared", "rshared", "private", "slave"] as const)(
    "is taken out of its peer group first where %s leaves other mounts shared",
    (rootfsPropagation) => {
      expect(kinds(plan({ linux: { namespaces: MOUNT_NAMESPACE, rootfsPropagation } }).beforeHooks)).toContain(
        "isolate-rootfs",
      );
    },
  );

  test.each(["rslave", "rprivate"] as const)(
    "needs no such thing where %s leaves nothing shared",
    (rootfsPropagation) => {
      const { beforeHooks } = plan({ linux: { namespaces: MOUNT_NAMESPACE, rootfsPropagation } });
      expect(kinds(beforeHooks)).not.toContain("isolate-rootfs");
    },
  );

  test("gets shared and unbindable once it is /, since before that they would be of the host's root", () => {
    const changes = (rootfsPropagation: "rshared" | "unbindable" | "rprivate" | "rslave") =>
      kinds(plan({ linux: { namespaces: MOUNT_NAMESPACE, rootfsPropagation } }).afterHooks);
    expect(changes("rshared").slice(0, 2)).toEqual(["pivot-root", "set-root-propagation"]);
    expect(changes("unbindable")).toContain("set-root-propagation");
    expect(changes("rprivate")).not.toContain("set-root-propagation");
    expect(changes("rslave")).not.toContain("set-root-propagation");
  });

  test("is moved over / with --no-pivot", () => {
    expect(kinds(plan({ input: { noPivot: true } }).afterHooks)[0]).toBe("move-root");
  });

  test("is made read-only after everything in it", () => {
    const { final } = plan({
      readonly: true,
      mounts: [{ destination: "/tmp", type: "tmpfs", options: ["ro"] }],
      linux: { namespaces: MOUNT_NAMESPACE, maskedPaths: ["/proc/kcore"], readonlyPaths: ["/proc/sys"] },
    });
    expect(final.map(words)).toEqual([
      "make the mount on rootfs/tmp read-only",
      "make the mount on rootfs/ read-only",
      "make read-only: /proc/sys",
      "mask: /proc/kcore",
    ]);
  });

  test("is made read-only by / among the read-only paths, which no bind could cover", () => {
    const { final } = plan({ linux: { namespaces: MOUNT_NAMESPACE, readonlyPaths: ["/", "/proc/sys"] } });
    expect(final.map(words)).toEqual(["make the mount on rootfs/ read-only", "make read-only: /proc/sys"]);
  });

  test("is a chroot without a mount namespace, and no mount of the host's", () => {
    const { beforeHooks, afterHooks, final } = plan({ namespaces: [], readonly: true });
    expect(kinds(beforeHooks).slice(0, 3)).toEqual(["set-umask", "enter-rootfs", "device-nodes"]);
    expect(kinds(afterHooks)).toEqual(["chroot", "reopen-null"]);
    expect(final).toEqual([]);
  });
});

describe("an entry of mounts", () => {
  test("is described by its place in config.json, source, target and options", () => {
    const mounts: Mount[] = [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/data", source: "/srv/data", options: ["rbind", "ro", "rprivate", "rnosuid"] },
    ];
    expect(mountsOf({ mounts }).map(words)).toEqual([
      "mount 0 of config.json (/mounts/0): proc proc on rootfs/proc",
      "mount 1 of config.json (/mounts/1): bind /srv/data on rootfs/data [rbind,ro,rnosuid,rprivate]",
    ]);
  });

  test.each([
    ["tmp", "/tmp"],
    ["/a/../tmp/", "/tmp"],
    ["/../../etc", "/etc"],
    ["/bundle/rootfs/mnt", "/mnt"],
    ["/bundle/rootfsx", "/bundle/rootfsx"],
  ])("with the destination %s goes on %s", (destination, target) => {
    expect(mountsOf({ mounts: [{ destination, type: "tmpfs" }] })).toMatchObject([{ target }]);
  });

  test.each(["/", "/bundle/rootfs", "."])("may not be on top of the rootfs: %s", (destination) => {
    expect(() => plan({ mounts: [{ destination, type: "tmpfs" }] })).toThrow(/\/mounts\/0.*top of the rootfs/);
  });

  test("with a relative source is bound from the bundle", () => {
    const mounts = [{ destination: "/a", source: "data", options: ["bind"] }];
    expect(mountsOf({ mounts })).toMatchObject([{ kind: "bind", source: "/bundle/data", tree: false }]);
  });

  test("of type bind is a bind without the option, too", () => {
    expect(mountsOf({ mounts: [{ destination: "/a", source: "/b", type: "bind" }] })).toMatchObject([{ kind: "bind" }]);
  });

  test("with bind and remount changes the mount that is there, and binds nothing", () => {
    const mounts = [{ destination: "/a", type: "bind", source: "/b", options: ["bind", "remount", "ro", "nosuid"] }];
    const { beforeHooks, sources } = plan({ mounts });
    expect(beforeHooks.find(({ kind }) => kind === "change-mount")).toMatchObject({
      target: "/a",
      attributes: { set: ["ro", "nosuid"], clear: [] },
    });
    expect({ sources, binds: mountsOf({ mounts }) }).toEqual({ sources: [], binds: [] });
  });

  test("leaves a bind's attributes alone when no option is about them", () => {
    const mounts = [{ destination: "/a", source: "/b", options: ["bind", "rprivate"] }];
    expect(mountsOf({ mounts })).toMatchObject([{ attributes: null }]);
  });

  test("says which attributes of a bind to set and which to clear", () => {
    const mounts = [{ destination: "/a", source: "/b", options: ["bind", "ro", "exec", "sync"] }];
    expect(mountsOf({ mounts })).toMatchObject([{ attributes: { set: ["ro"], clear: ["noexec"] } }]);
  });

  test("passes over options for a filesystem in a bind, as the kernel does", () => {
    const mounts = [{ destination: "/a", source: "/b", options: ["bind", "size=1", "ro"] }];
    expect(mountsOf({ mounts })).toMatchObject([{ kind: "bind", attributes: { set: ["ro"], clear: [] } }]);
  });

  test("of a tmpfs takes the mode of what it covers, and with tmpcopyup its contents", () => {
    const tmpfs = (...options: string[]) => mountsOf({ mounts: [{ destination: "/t", type: "tmpfs", options }] });
    expect(tmpfs()).toMatchObject([{ inherit: "mode" }]);
    expect(tmpfs("tmpcopyup")).toMatchObject([{ inherit: "contents" }]);
    expect(mountsOf({ mounts: [{ destination: "/t", type: "proc" }] })).toMatchObject([{ inherit: "nothing" }]);
  });

  test("on /dev is read-only only when the devices are made", () => {
    const { beforeHooks, final } = plan({
      mounts: [{ destination: "/dev", type: "devtmpfs", options: ["nosuid", "ro"] }],
    });
    expect(beforeHooks.find(({ kind }) => kind === "mount")).toMatchObject({ flags: ["nosuid"] });
    expect(final).toEqual([
      { kind: "remount-readonly", pointer: "/mounts", path: "/dev", mounted: expect.any(Number) },
    ]);
  });

  const labelled = { namespaces: MOUNT_NAMESPACE, mountLabel: "system_u:object_r:x:s0:c1,c2" };

  test("gets the label of linux.mountLabel, but for procfs, sysfs and mqueue", () => {
    const data = (type: string, options: string[] = []) =>
      mountsOf({ linux: labelled, mounts: [{ destination: "/x", type, options }], selinux: true });
    expect(data("tmpfs", ["size=1m"])).toMatchObject([{ data: 'size=1m,context="system_u:object_r:x:s0:c1,c2"' }]);
    for (const type of ["proc", "sysfs", "mqueue"]) expect(data(type)).toMatchObject([{ data: "" }]);
  });

  test("gets no label without SELinux, and what masks directories neither", () => {
    const linux = { ...labelled, maskedPaths: ["/x"] };
    const mounts = [{ destination: "/x", type: "tmpfs" }];
    const planned = (selinux: boolean) => plan({ linux, mounts, selinux });
    expect(planned(false).beforeHooks).toContainEqual(expect.objectContaining({ kind: "mount", data: "" }));
    expect(planned(false).final).toContainEqual(expect.objectContaining({ kind: "mask-paths", label: "" }));
    expect(planned(true).final).toContainEqual(
      expect.objectContaining({ kind: "mask-paths", label: "system_u:object_r:x:s0:c1,c2" }),
    );
  });
});

describe("a source", () => {
  const mounts = [{ destination: "/a", source: "/b", options: ["rbind"] }];

  test("is opened by the init itself, without the parent", () => {
    expect(plan({ mounts }).sources).toEqual([]);
    expect(mountsOf({ mounts })).toMatchObject([{ origin: { from: "init", idmap: null } }]);
  });

  test("may need the parent in a user namespace", () => {
    const request: Request = { mounts, namespaces: ["mount", "user"] };
    expect(plan(request).sources).toEqual([
      { kind: "open-source", name: "mount-0", entry: 0, pointer: "/mounts/0", source: "/b", tree: true, idmap: null },
    ]);
    expect(mountsOf(request)).toMatchObject([{ origin: { from: "init-or-parent", name: "mount-0" } }]);
  });

  test("gets no help from a parent that is not root", () => {
    expect(plan({ mounts, namespaces: ["mount", "user"], euid: 1000 }).sources).toEqual([]);
  });
});

describe("an id-mapped mount", () => {
  const maps = [{ containerID: 0, hostID: 1000, size: 1 }];
  const mount: Mount = { destination: "/a", source: "/b", options: ["bind"], uidMappings: maps, gidMappings: maps };

  test("is mapped by the init through a namespace that the parent makes", () => {
    expect(plan({ mounts: [mount] }).sources.map(words)).toEqual([
      "mount 0 of config.json (/mounts/0): make a user namespace of uids 0:1000:1, gids 0:1000:1",
    ]);
    expect(mountsOf({ mounts: [{ ...mount, options: ["rbind", "ridmap"] }] })).toMatchObject([
      { origin: { from: "init", idmap: { name: "uids 0:1000:1, gids 0:1000:1", recursive: true, last: true } } },
    ]);
  });

  test("shares the namespace with all that have the same maps, and the last lets go of it", () => {
    const others = [{ containerID: 0, hostID: 2000, size: 1 }];
    const other = { ...mount, uidMappings: others };
    const tmpfs = { destination: "/t", type: "tmpfs" };
    const mounts = [mount, other, tmpfs, { ...mount, destination: "/c" }, { ...mount, destination: "/d" }];
    expect(plan({ mounts }).sources.map(words)).toEqual([
      "mount 0 of config.json (/mounts/0): make a user namespace of uids 0:1000:1, gids 0:1000:1",
      "mount 1 of config.json (/mounts/1): make a user namespace of uids 0:2000:1, gids 0:1000:1",
    ]);
    const idmaps = mountsOf({ mounts }).flatMap((step) => {
      return step.kind === "bind" && step.origin.from === "init" && step.origin.idmap ? [step.origin.idmap] : [];
    });
    expect(idmaps.map(({ name, last }) => [name.slice(0, 11), last])).toEqual([
      ["uids 0:1000", false],
      ["uids 0:2000", true],
      ["uids 0:1000", false],
      ["uids 0:1000", true],
    ]);
  });

  test("is mapped by the parent when the init is in a user namespace", () => {
    const request: Request = { mounts: [mount], namespaces: ["mount", "user"] };
    expect(plan(request).sources).toMatchObject([
      { kind: "open-source", idmap: { mapping: { from: "maps", uid: maps, gid: maps }, recursive: false } },
    ]);
    expect(mountsOf(request)).toMatchObject([{ origin: { from: "parent", name: "mount-0" } }]);
  });

  test("takes the container's own mapping when it has none", () => {
    const mounts = [{ destination: "/a", source: "/b", options: ["bind", "idmap"] }];
    const joined = plan({
      mounts,
      linux: { namespaces: [...MOUNT_NAMESPACE, { type: "user", path: "/run/ns" }] },
      input: { userNamespace: true },
    });
    expect(joined.sources).toMatchObject([{ idmap: { mapping: { from: "namespace", path: "/run/ns" } } }]);
    expect(() => plan({ mounts })).toThrow(/must have both uid and gid mappings/);
  });

  test("needs both mappings, and a bind", () => {
    expect(() => plan({ mounts: [{ ...mount, gidMappings: [] }] })).toThrow(/both uid and gid/);
    expect(() => plan({ mounts: [{ ...mount, type: "tmpfs", options: [] }] })).toThrow(
      /only supported for bind mounts/,
    );
  });
});

describe("a cgroup mount", () => {
  const memory: CgroupAt = {
    version: 1,
    controllers: ["memory"],
    mountPoint: "/sys/fs/cgroup/memory",
    directory: "/sys/fs/cgroup/memory/c1",
  };
  const cpu: CgroupAt = {
    version: 1,
    controllers: ["cpu", "cpuacct"],
    mountPoint: "/sys/fs/cgroup/cpu,cpuacct",
    directory: "/sys/fs/cgroup/cpu,cpuacct/c1",
  };
  const unified: CgroupAt = {
    version: 2,
    controllers: [],
    mountPoint: "/sys/fs/cgroup",
    directory: "/sys/fs/cgroup/c1",
  };
  const mount: Mount = { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "ro"] };

  function cgroup(cgroups: CgroupAt[], namespaces: NamespaceType[] = ["mount"], type = "cgroup") {
    const cgroupMounts = cgroups.map((at) => ({ ...at, root: "/" }));
    const host = { ...rootHost, cgroupMounts };
    return plan({ mounts: [{ ...mount, type }], namespaces, input: { cgroups, host } });
  }

  test("is a tmpfs with the container's directory of each v1 hierarchy, and a link for each controller of a joint one", () => {
    const { beforeHooks, final } = cgroup([cpu, memory]);
    expect(beforeHooks.slice(3, 7).map(words)).toEqual([
      "mount 0 of config.json (/mounts/0): tmpfs tmpfs on rootfs/sys/fs/cgroup [nosuid,noexec,nodev,mode=755]",
      "mount 0 of config.json (/mounts/0): bind /sys/fs/cgroup/cpu,cpuacct/c1 on rootfs/sys/fs/cgroup/cpu,cpuacct [rbind,nosuid,ro]",
      "link cpu to cpu,cpuacct, cpuacct to cpu,cpuacct in rootfs/sys/fs/cgroup",
      "mount 0 of config.json (/mounts/0): bind /sys/fs/cgroup/memory/c1 on rootfs/sys/fs/cgroup/memory [rbind,nosuid,ro]",
    ]);
    expect(final).toEqual([
      { kind: "remount-readonly", pointer: "/mounts", path: "/sys/fs/cgroup", mounted: expect.any(Number) },
    ]);
  });

  test("mounts the hierarchies themselves in a cgroup namespace, the v2 one of a hybrid machine, too", () => {
    const hybrid = { ...unified, mountPoint: "/sys/fs/cgroup/unified", directory: "/sys/fs/cgroup/unified/c1" };
    const { beforeHooks } = cgroup([memory, hybrid], ["mount", "cgroup"]);
    expect(beforeHooks.slice(4, 6)).toMatchObject([
      {
        kind: "mount",
        fstype: "cgroup",
        data: "memory",
        target: "/sys/fs/cgroup/memory",
        fallback: { source: memory.directory },
      },
      {
        kind: "mount",
        fstype: "cgroup2",
        data: "",
        target: "/sys/fs/cgroup/unified",
        flags: ["nosuid", "noexec", "nodev", "ro"],
      },
    ]);
  });

  // Mounted anew from the host's cgroup namespace, it would take nsdelegate from the host's hierarchy.
  test("is a bind of the whole v2 hierarchy without a cgroup namespace", () => {
    expect(cgroup([unified]).beforeHooks.slice(3, 4).map(words)).toEqual([
      "mount 0 of config.json (/mounts/0): bind /sys/fs/cgroup on rootfs/sys/fs/cgroup [rbind,nosuid,ro]",
    ]);
  });

  test("of type cgroup2 is such a bind on a hybrid machine, too, and without cgroups of the container's own", () => {
    const hybrid = { ...unified, mountPoint: "/sys/fs/cgroup/unified", directory: "/sys/fs/cgroup/unified/c1" };
    const bind = (source: string) => ({ kind: "bind", source, target: "/sys/fs/cgroup", tree: true });
    expect(cgroup([memory, hybrid], ["mount"], "cgroup2").beforeHooks[3]).toMatchObject(bind("/sys/fs/cgroup/unified"));
    expect(cgroup([memory, hybrid], ["mount", "cgroup"], "cgroup2").beforeHooks[3]).toMatchObject({ kind: "mount" });
  });

  test("is such a bind where the cgroup namespace that is joined is the host's own", () => {
    const host = (path: string) => ({
      euid: 0,
      egid: 0,
      inUserNamespace: false,
      setgroupsDenied: false,
      selinux: false,
      cgroupMounts: [{ ...unified, root: "/" }],
      isHostCgroupNamespace: (asked: string) => asked === path,
      lastCapability: 40,
    });
    const joined = (path: string) =>
      plan({
        mounts: [mount],
        linux: { namespaces: [{ type: "mount" }, { type: "cgroup", path }] },
        input: { cgroups: [unified], host: host("/proc/1/ns/cgroup") },
      }).beforeHooks[3];
    expect(joined("/proc/1/ns/cgroup")).toMatchObject({ kind: "bind", source: "/sys/fs/cgroup", tree: true });
    expect(joined("/proc/2/ns/cgroup")).toMatchObject({ kind: "mount", fstype: "cgroup2" });
  });

  test("is the v2 hierarchy in a cgroup namespace, or a bind of the container's part where that is refused", () => {
    expect(cgroup([unified], ["mount", "cgroup"]).beforeHooks[3]).toMatchObject({
      // The whole hierarchy where an unprivileged runtime could make no cgroup.
      fallback: { source: "/sys/fs/cgroup/c1", otherwise: "/sys/fs/cgroup" },
    });
  });
});

describe("sysfs", () => {
  test("may be the host's, bound, in a user namespace whose network namespace is another's", () => {
    const mounts = [{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"] }];
    expect(mountsOf({ mounts })).toMatchObject([{ fallback: null }]);
    expect(mountsOf({ mounts, namespaces: ["mount", "user"] })).toMatchObject([{ fallback: { source: "/sys" } }]);
  });

  test("is never the host's where it could be written to", () => {
    const mounts = [{ destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid"] }];
    expect(mountsOf({ mounts, namespaces: ["mount", "user"] })).toMatchObject([{ fallback: null }]);
  });
});

describe("devices", () => {
  function devices(request: Request): string[] {
    return plan(request)
      .beforeHooks.filter(({ kind }) => kind.includes("devices") || kind === "device-nodes")
      .map(words);
  }

  test("are the default ones, and a link for the terminals", () => {
    expect(devices({})).toEqual([
      "make the devices null (c 1:3 0666), random (c 1:8 0666), full (c 1:7 0666), tty (c 5:0 0666), zero (c 1:5 0666), urandom (c 1:9 0666) in rootfs/dev",
    ]);
    expect(plan().beforeHooks.map(words)).toContain("link rootfs/dev/ptmx to pts/ptmx");
  });

  test("of linux.devices win over the default ones", () => {
    const linux: Linux = {
      namespaces: MOUNT_NAMESPACE,
      devices: [
        { path: "/dev/tty", type: "c", major: 5, minor: 0, fileMode: 0o100620, uid: 1, gid: 5 },
        { path: "/dev/ptmx", type: "c", major: 5, minor: 2 },
        { path: "/run/pipe", type: "p" },
      ],
    };
    const [defaults, ...rest] = devices({ linux });
    expect(defaults).not.toContain("tty");
    expect(rest).toEqual([
      "make the devices tty (c 5:0 0620 1:5) in rootfs/dev",
      "make the devices pipe (pipe 0666) in rootfs/run",
    ]);
  });

  test("are bound from the host in a user namespace, but for pipes", () => {
    const linux: Linux = {
      namespaces: [...MOUNT_NAMESPACE, { type: "user" }],
      devices: [
        { path: "/dev/fuse", type: "c", major: 10, minor: 229 },
        { path: "/run/pipe", type: "p" },
      ],
    };
    expect(devices({ linux, input: { userNamespace: true } })).toEqual([
      "bind the host's devices null, random, full, tty, zero, urandom in rootfs/dev",
      "bind the host's devices fuse in rootfs/dev",
      "make the devices pipe (pipe 0666) in rootfs/run",
    ]);
  });

  test("are left alone where /dev is the host's", () => {
    const { beforeHooks, afterHooks } = plan({
      mounts: [{ destination: "/dev/", source: "/dev", options: ["rbind"] }],
    });
    expect(kinds(beforeHooks)).toEqual(["set-umask", "set-root-propagation", "bind-rootfs", "bind", "set-umask"]);
    expect(kinds(afterHooks)).toEqual(["pivot-root"]);
  });
});

test("protected paths are cleaned, and each is there once", () => {
  const linux: Linux = {
    namespaces: MOUNT_NAMESPACE,
    maskedPaths: ["/proc/keys/", "/proc/./keys", "/proc/scsi"],
    mountLabel: "l",
  };
  expect(plan({ linux, selinux: true }).final).toEqual([
    { kind: "mask-paths", pointer: "/linux/maskedPaths", paths: ["/proc/keys", "/proc/scsi"], label: "l" },
  ]);
});

describe("crun's extensions", () => {
  const bind = (...options: string[]) => ({ destination: "/d", source: "/s", options: ["bind", ...options] });

  test("a bind carries which ends are not followed, and its parent's source does", () => {
    const mounts = [bind("src-nofollow", "dest-nofollow")];
    expect(mountsOf({ mounts })).toMatchObject([{ kind: "bind", nofollow: ["source", "destination"] }]);
    expect(plan({ mounts, namespaces: ["mount", "user"] }).sources).toMatchObject([
      { kind: "open-source", nofollow: ["source", "destination"] },
    ]);
  });

  test("a symlink is either copied or bound", () => {
    expect(mountsOf({ mounts: [bind("copy-symlink")] })).toMatchObject([{ kind: "bind", copySymlink: true }]);
    expect(() => plan({ mounts: [bind("copy-symlink", "src-nofollow")] })).toThrow(/copy-symlink excludes/);
    const tmpfs = { destination: "/d", type: "tmpfs", options: ["src-nofollow"] };
    expect(() => plan({ mounts: [tmpfs] })).toThrow(/for bind mounts/);
  });

  test("idmap takes maps of its own, counted from the container's after an @", () => {
    const uidMappings = [{ containerID: 0, hostID: 1000, size: 10 }];
    const linux = { uidMappings, gidMappings: uidMappings };
    const mounts = [bind("idmap=uids=@0-1-1;gids=0-7-1")];
    expect(plan({ mounts, linux }).sources).toMatchObject([
      {
        kind: "id-mapping",
        mapping: {
          uid: [{ containerID: 0, hostID: 1001, size: 1 }],
          gid: [{ containerID: 0, hostID: 7, size: 1 }],
        },
      },
    ]);
    expect(() => plan({ mounts: [bind("idmap=uids=1")] })).toThrow(/\/mounts\/0: .*idmap mapping "1"/);
  });

  test("an annotation names the kind of the mount label", () => {
    const input = (annotations: Record<string, string>): Request["input"] => ({
      spec: {
        ociVersion: "1.3.0",
        annotations,
        mounts: [{ destination: "/t", type: "tmpfs" }],
        linux: { mountLabel: "a:b:c", namespaces: [{ type: "mount" }] },
      },
    });
    const data = (annotations: Record<string, string>) =>
      (mountsOf({ input: input(annotations), selinux: true }) as object[]).map(
        (step) => (step as { data: string }).data,
      );
    expect(data({})).toEqual(['context="a:b:c"']);
    expect(data({ "run.oci.mount_context_type": "rootcontext" })).toEqual(['rootcontext="a:b:c"']);
  });

  test("an annotation puts the v1 hierarchy of systemd in the place of a mount", () => {
    const spec: Spec = {
      ociVersion: "1.3.0",
      annotations: { "run.oci.systemd.force_cgroup_v1": "/sys/fs/cgroup/" },
      mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup", options: ["ro", "nosuid"] }],
      linux: { namespaces: [{ type: "mount" }] },
    };
    expect(mountsOf({ input: { spec } })).toMatchObject([
      { kind: "mount", fstype: "cgroup", flags: ["nosuid"], data: "none,name=systemd,xattr" },
    ]);
  });
});
