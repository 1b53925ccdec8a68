import { describe, expect, test } from "vitest";
import { chooseCapabilities, DEFAULT_CAPABILITIES } from "../../../src/image/bundle/capabilities.ts";
import {
  type BundleOptions,
  parseMemory,
  parseTmpfs,
  parseVolume,
  refuseSharedDestinations,
} from "../../../src/image/bundle/options.ts";
import { type Facts, toRuntimeConfig } from "../../../src/image/bundle/runtime-config.ts";
import type { ExecutionConfig, ImageConfig } from "../../../src/image/store/documents.ts";
import { capabilityNames, isInBoundingSet } from "../../../src/sys/capability.ts";
import { BUNDLE_OPTIONS } from "../../support/bundle-options.ts";

const FACTS: Facts = {
  user: { user: { uid: 0, gid: 0 }, home: "/root" },
  volumes: [],
  cgroupV2: false,
  uid: 1000,
  gid: 1001,
};

function convert(config: ExecutionConfig, options: Partial<BundleOptions> = {}, image: Partial<ImageConfig> = {}) {
  const whole: ImageConfig = {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [] },
    ...image,
    config,
  };
  return toRuntimeConfig(whole, { ...BUNDLE_OPTIONS, ...options }, FACTS);
}

describe("what is run", () => {
  const image = { Entrypoint: ["/e", "x"], Cmd: ["c"] };
  test.each<[Partial<BundleOptions>, string[]]>([
    [{}, ["/e", "x", "c"]],
    [{ args: ["a", "b"] }, ["/e", "x", "a", "b"]],
    [{ entrypoint: ["/other"] }, ["/other"]],
    [{ entrypoint: ["/other"], args: ["a"] }, ["/other", "a"]],
    [{ entrypoint: [], args: ["a"] }, ["a"]],
  ])("with %j", (options, args) => {
    expect(convert(image, options).spec.process?.args).toEqual(args);
  });

  test("must be said by someone", () => {
    expect(() => convert({})).toThrow(/does not say what to run/);
  });
});

describe("the image's configuration", () => {
  test("becomes the process's, with the user's in its place", () => {
    const { spec } = convert(
      { Cmd: ["c"], Env: ["A=1", "B=2", "PATH=/x"], WorkingDir: "/w" },
      { env: ["B=3", "C="], tty: true },
    );
    expect(spec.process).toMatchObject({
      env: ["PATH=/x", "TERM=xterm", "HOME=/root", "A=1", "B=3", "C="],
      cwd: "/w",
      terminal: true,
    });
    expect(convert({ Cmd: ["c"], WorkingDir: "" }).spec.process?.cwd).toBe("/");
    expect(convert({ Cmd: ["c"], WorkingDir: "rel" }).spec.process?.cwd).toBe("/rel");
  });

  test("becomes annotations, labels before what is implicit, and no orders to the runtime", () => {
    const Labels = {
      l: "v",
      "org.opencontainers.image.author": "label",
      "run.oci.hooks.stdout": "/etc/passwd",
      "org.systemd.property.X": "1",
    };
    const config = { Cmd: ["c"], Labels, StopSignal: "SIGRTMIN+3", ExposedPorts: { "80/tcp": {}, "53/udp": {} } };
    const image = {
      author: "me",
      created: "2024-01-01T00:00:00Z",
      variant: "v8",
      "os.version": "1",
      "os.features": ["a", "b"],
    };
    const { spec, notices } = convert(config, { annotations: { l: "mine" } }, image);
    expect(spec.annotations).toEqual({
      l: "mine",
      "org.opencontainers.image.architecture": "amd64",
      "org.opencontainers.image.author": "label",
      "org.opencontainers.image.created": "2024-01-01T00:00:00Z",
      "org.opencontainers.image.exposedPorts": "53/udp,80/tcp",
      "org.opencontainers.image.os": "linux",
      "org.opencontainers.image.os.features": "a,b",
      "org.opencontainers.image.os.version": "1",
      "org.opencontainers.image.stopSignal": "SIGRTMIN+3",
      "org.opencontainers.image.variant": "v8",
    });
    expect(notices).toHaveLength(2);
  });

  test("of Go's nulls is that of nothing", () => {
    const { spec } = convert({
      Cmd: ["c"],
      Entrypoint: null,
      Env: null,
      Labels: null,
      Volumes: null,
      ExposedPorts: null,
      User: null,
    });
    expect(spec.process?.args).toEqual(["c"]);
  });
});

describe("options", () => {
  test("become limits, network, mounts and a root", () => {
    const mounts = [parseVolume("/a:/b:ro,z")];
    const { spec } = convert(
      { Cmd: ["c"] },
      {
        memory: parseMemory("--memory", "64m"),
        cpus: 1.5,
        pids: 10,
        network: "host",
        readOnly: true,
        hostname: "h",
        mounts,
      },
    );
    expect(spec.linux?.resources).toMatchObject({
      memory: { limit: 64 << 20 },
      cpu: { quota: 150_000, period: 100_000 },
      pids: { limit: 10 },
    });
    expect(spec.linux?.namespaces?.some(({ type }) => type === "network")).toBe(false);
    expect(spec).toMatchObject({ root: { readonly: true }, hostname: "h" });
    expect(spec.mounts?.at(-1)).toEqual({ destination: "/b", type: "bind", source: "/a", options: ["rbind", "ro"] });
  });

  test("map the caller for a rootless bundle, which has no cgroup mount", () => {
    const { spec } = convert({ Cmd: ["c"] }, { rootless: true });
    expect(spec.linux?.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }]);
    expect(spec.mounts?.some(({ type }) => type === "cgroup" || type === "sysfs")).toBe(false);
  });

  test("two volumes on one destination are refused, however it is written", () => {
    const at = (...destinations: string[]) => destinations.map((destination) => ({ destination }));
    expect(() => refuseSharedDestinations(at("/v", "/w/../v/"))).toThrow("two volumes have the destination /w/../v/");
    expect(() => refuseSharedDestinations(at("/v", "/v/w", "/vw"))).not.toThrow();
  });

  test.each(["a:/b", "/a", "/a:b", "/a:/b:ro:x", "/a:/b:what", "/a:/", "/a:/b/..", "/a:/b:ro,rw", "/a:/b:exec,noexec"])(
    "--volume %s is refused",
    (text) => {
      expect(() => parseVolume(text)).toThrow(/SOURCE:DESTINATION\[:OPTIONS\] is right/);
    },
  );

  test.each([
    ["1", 1],
    ["512m", 512 << 20],
    ["1.5G", 1.5 * 2 ** 30],
    ["2kb", 2048],
  ])("%s of memory is %d bytes", (text, bytes) => {
    expect(parseMemory("--memory", text)).toBe(bytes);
  });

  test.each(["", "0", "-1", "m", "1x", "1e3"])("%j is no amount of memory", (text) => {
    expect(() => parseMemory("--memory", text)).toThrow(`--memory ${JSON.stringify(text)}: no amount of memory`);
  });
});

test("the seccomp profile refuses by default, allows what programs need, and more with capabilities", async () => {
  const { defaultSeccomp } = await import("../../../src/image/bundle/seccomp-profile.ts");
  const allowed = (capabilities: string[]) => {
    const all = defaultSeccomp(capabilities, "x64").syscalls ?? [];
    return new Set(
      all.filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined).flatMap(({ names }) => names),
    );
  };
  const plain = allowed([]);
  for (const name of ["read", "openat2", "execve", "futex"]) expect(plain).toContain(name);
  for (const name of [
    "mount",
    "unshare",
    "clone",
    "clone3",
    "kexec_load",
    "bpf",
    "keyctl",
    "io_uring_setup",
    "reboot",
    "userfaultfd",
    "chroot",
  ])
    expect(plain).not.toContain(name);
  expect(allowed(["CAP_SYS_ADMIN"])).toContain("mount");
  expect(allowed(["CAP_SYS_CHROOT"])).toContain("chroot");
});

describe("what a tmpfs is", () => {
  test.each([
    ["/t", ["noexec", "nosuid", "nodev"]],
    ["/t:size=64m,mode=1777", ["noexec", "nosuid", "nodev", "size=64m", "mode=1777"]],
    ["/t:exec,dev,ro", ["nosuid", "exec", "dev", "ro"]],
    ["/t:noexec", ["nosuid", "nodev", "noexec"].sort()],
  ])("%s", (text, options) => {
    const mount = parseTmpfs(text);
    expect(mount).toMatchObject({ destination: "/t", type: "tmpfs", source: "tmpfs" });
    expect([...(mount.options ?? [])].sort()).toEqual([...options].sort());
  });

  test.each([
    ["t", "must be an absolute path"],
    ["/", "must not be /"],
    ["/x/..:ro", "must not be /"],
    ["/t:a:b", "too many colons"],
    ["/t:bind", 'the option "bind" is not known'],
    ["/t:mode=9", 'the option "mode=9" is not known'],
    ["/t:ro,rw", "ro and rw contradict each other"],
  ])("%s is refused", (text, message) => {
    expect(() => parseTmpfs(text)).toThrow(`--tmpfs ${JSON.stringify(text)}: `);
    expect(() => parseTmpfs(text)).toThrow(message);
  });

  test("is mounted, with the volumes, in the order of their places", () => {
    const { spec } = convert({ Cmd: ["c"] }, { tmpfs: [parseTmpfs("/a")], mounts: [parseVolume("/s:/a/b")] });
    expect(spec.mounts?.slice(-2).map(({ destination }) => destination)).toEqual(["/a", "/a/b"]);
  });

  test("of shared memory has the size that is asked for", () => {
    const { spec } = convert({ Cmd: ["c"] }, { shmSize: 1 << 20 });
    const { options = [] } = spec.mounts?.find(({ destination }) => destination === "/dev/shm") ?? {};
    expect(options.filter((option) => option.startsWith("size="))).toEqual(["size=1048576"]);
  });
});

describe("capabilities", () => {
  test.each<[string[], string[], string[]]>([
    [[], ["all"], []],
    [["net_admin", "CAP_SYS_TIME"], ["ALL"], ["CAP_NET_ADMIN", "CAP_SYS_TIME"]],
    [["Sys_Ptrace,SYSLOG"], ["ALL"], ["CAP_SYSLOG", "CAP_SYS_PTRACE"]],
  ])("with %j added and %j dropped", (add, drop, chosen) => {
    expect(chooseCapabilities(add, drop)).toEqual(chosen);
  });

  test("are the usual ones, more or less one", () => {
    const usual = [...DEFAULT_CAPABILITIES];
    expect(chooseCapabilities([], [])).toEqual(usual);
    expect(chooseCapabilities(["NET_ADMIN"], [])).toEqual([...usual, "CAP_NET_ADMIN"].sort());
    expect(chooseCapabilities([], ["mknod"])).toEqual(usual.filter((name) => name !== "CAP_MKNOD"));
  });

  test("are all that the caller may have, but one", () => {
    const all = chooseCapabilities(["ALL"], ["CHOWN"]);
    expect(all).toEqual(
      capabilityNames()
        .filter((name, number) => isInBoundingSet(number) && name !== "CAP_CHOWN")
        .sort(),
    );
  });

  test.each<[string[], string[], string]>([
    [["NET_ADMIM"], [], '--cap-add "NET_ADMIM": no capability has this name'],
    [[], [""], '--cap-drop "": no capability has this name'],
    [["KILL"], ["cap_kill"], "CAP_KILL is both added and dropped"],
  ])("with %j added and %j dropped are refused", (add, drop, message) => {
    expect(() => chooseCapabilities(add, drop)).toThrow(message);
  });

  test("decide what the filter of system calls allows", () => {
    const allowed = (capabilities: string[]) =>
      convert({ Cmd: ["c"] }, { capabilities }).spec.linux?.seccomp?.syscalls?.flatMap(({ names }) => names);
    expect(allowed(["CAP_SYS_TIME"])).toContain("settimeofday");
    expect(allowed([])).not.toContain("settimeofday");
  });
});
