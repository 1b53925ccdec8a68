/**
 * Escapes from containers that were published, one by one: each test mounts the attack, and asks the host what came of it.
 *
 * Others are where their kind is: `races`, `security`, `descriptors`, `escapes-executable`. docs/security.md has the whole table.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Bundle,
  commandLine,
  commandTimeout,
  directory,
  hasProgram,
  makeBundle,
  newId,
  refused,
  run,
  startDetached,
  state,
  succeed,
  tsrunc,
  useContainers,
} from "./harness.ts";

useContainers();

/** Makes a directory in place of whatever the image has there. */
function replaceByDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
}

/** A directory with files as the runtime writes to in procfs, empty. @returns their paths */
function fakeProcfs(path: string): string[] {
  const files = [
    "self/attr/exec",
    "self/attr/apparmor/exec",
    "self/attr/keycreate",
    "thread-self/attr/exec",
    "sys/net/ipv4/ip_forward",
  ].map((file) => join(path, file));
  for (const file of files) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
  }
  return files;
}

describe("what is to be written to procfs is not redirected", () => {
  test.each([
    ["a volume on /proc", "/proc", {}],
    ["a tmpfs on /proc", "/proc", { type: "tmpfs", source: "tmpfs", options: [] }],
    ["a volume on a symlink to /proc", "/link", {}],
    ["a volume on a directory of /proc", "/proc/sys/net", {}],
    ["a volume on a directory of /proc, by a symlink", "/link/sys/net/ipv4", {}],
  ])("by %s (CVE-2019-16884)", (_, destination, mount) => {
    const fake = join(directory(), "fake");
    fakeProcfs(fake);
    const { code, stdout, stderr } = run("echo started", (config, { rootfs }) => {
      symlinkSync("/proc", join(rootfs, "link"));
      config.mounts.splice(1, 0, { destination, type: "bind", source: fake, options: ["rbind"], ...mount });
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/cannot be mounted because it is (inside \/proc|not of type proc)/);
  });

  /** A container without a procfs, in whose image files lie as the kernel has them there. */
  function withFakeProcfs(edit: (config: Bundle["config"]) => void): { bundle: Bundle; files: string[] } {
    let files: string[] = [];
    const bundle = makeBundle("sleep 1000", (config, { rootfs }) => {
      config.mounts = config.mounts.filter(({ destination }) => destination !== "/proc");
      Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [] });
      replaceByDirectory(join(rootfs, "proc"));
      files = fakeProcfs(join(rootfs, "proc"));
      edit(config);
    });
    return { bundle, files };
  }

  const contents = (files: string[]) => files.map((file) => readFileSync(file, "utf8")).join("");

  test("by files of the image in its place: a kernel parameter is set in the kernel (CVE-2025-52881)", () => {
    const { bundle, files } = withFakeProcfs((config) => {
      config.linux.sysctl = { "net.ipv4.ip_forward": "1" };
    });
    const id = newId();
    succeed(["run", "--detach", "--bundle", bundle.path, id]);
    expect(contents(files)).toBe("");
    const script = "cat /proc/sys/net/ipv4/ip_forward";
    const read = ["--net", `--target=${state(id).pid}`, "sh", "-c", script];
    expect(execFileSync("nsenter", read, { encoding: "utf8" })).toBe("1\n");
  });

  test("by symlinks of the image in its place, to what is dangerous to write to (CVE-2025-52881)", () => {
    const target = join(directory(), "target");
    writeFileSync(target, "");
    const { bundle } = withFakeProcfs((config) => {
      config.linux.sysctl = { "net.ipv4.ip_forward": "1" };
      config.mounts.push({ destination: "/target", source: target, options: ["bind"] });
    });
    const file = join(bundle.rootfs, "proc/sys/net/ipv4/ip_forward");
    rmSync(file);
    symlinkSync("/target", file);
    const id = newId();
    succeed(["run", "--detach", "--bundle", bundle.path, id]);
    expect(succeed(["state", id])).toContain(id);
    expect(readFileSync(target, "utf8")).toBe("");
  });

  test("by files of the image in its place: a profile that is not in force is an error (CVE-2019-16884)", () => {
    const { bundle, files } = withFakeProcfs((config) => {
      config.process.apparmorProfile = "no-such-profile-of-tsrunc";
    });
    expect(refused(["run", "--detach", "--bundle", bundle.path, newId()])).toContain("apparmor");
    expect(contents(files)).toBe("");
  });
});

describe("procfs and sysfs are mounted where masked and read-only paths reach them", () => {
  const cases = [
    ["/proc", "a directory of the image (CVE-2023-27561)", "/elsewhere"],
    ["/proc", "a directory of a volume (CVE-2019-19921)", "/volume/level1"],
    ["/proc", "a dangling way (CVE-2023-28642)", "/volume/none/below"],
    ["/sys", "a directory of the image (CVE-2025-54867)", "/elsewhere"],
    ["/sys", "a directory of a volume (CVE-2025-54867)", "/volume/level1"],
  ] as const;

  test.each(cases)("and not where %s is a symlink to %s", (place, _, to) => {
    const volume = join(directory(), "volume");
    mkdirSync(join(volume, "level1"), { recursive: true });
    const { code, stdout, stderr } = run("cat /proc/self/mountinfo /elsewhere/self/mountinfo", (config, { rootfs }) => {
      rmSync(join(rootfs, place), { recursive: true });
      mkdirSync(join(rootfs, "elsewhere"));
      symlinkSync(to, join(rootfs, place));
      config.mounts.unshift({ destination: "/volume", source: volume, options: ["rbind"] });
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("must be mounted on ordinary directory");
    expect(readdirSync(volume)).toEqual(["level1"]);
  });
});

describe.skipIf(!hasProgram("setpriv"))(
  "inheritable capabilities (CVE-2022-29162, CVE-2022-27650, CVE-2025-27612)",
  () => {
    const raised = ["--inh-caps=+chown,+net_raw,+sys_admin", "--ambient-caps=+net_raw"];
    const script = "grep -E 'Cap(Inh|Amb)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '";
    const none = "CapInh:0000000000000000 CapAmb:0000000000000000 ";

    /** Runs the runtime with capabilities of its own that a process passes on to all that it executes. */
    function inheriting(args: string[]): string {
      const done = spawnSync("setpriv", [...raised, ...commandLine(args)], {
        encoding: "utf8",
        timeout: commandTimeout,
      });
      expect(done).toMatchObject({ status: 0 });
      return done.stdout;
    }

    test("of the caller are not the container's", () => {
      expect(inheriting(["run", "--bundle", makeBundle(script).path, newId()])).toBe(none);
    });

    test("nor are ambient ones, where the container's inheritable set has them, too", () => {
      const bundle = makeBundle(script, (config) => {
        const { capabilities } = config.process;
        if (capabilities === undefined) throw new Error("the bundle has no capabilities");
        capabilities.inheritable = ["CAP_NET_RAW"];
        for (const set of ["bounding", "effective", "permitted"] as const) capabilities[set]?.push("CAP_NET_RAW");
      });
      expect(inheriting(["run", "--bundle", bundle.path, newId()])).toBe(
        "CapInh:0000000000002000 CapAmb:0000000000000000 ",
      );
    });

    test("are not an exec's, whether it is given capabilities or not", () => {
      const id = startDetached();
      expect(inheriting(["exec", id, "sh", "-c", script])).toBe(none);
      expect(inheriting(["exec", "--cap", "CAP_NET_RAW", id, "sh", "-c", script])).toContain("CapInh:0000000000000000");
      // Of another user they would be all that it has.
      const user = ["exec", "--user", "1000:1000", "--cap", "CAP_NET_RAW", id, "sh", "-c", script];
      expect(inheriting(user)).toContain("CapInh:0000000000000000");
    });
  },
);

describe("a user id that does not fit becomes nobody else's (CVE-2024-40635, CVE-2016-3697)", () => {
  const ids = "sed -n 's/^[UG]id:.//p' /proc/self/status | tr '\\t\\n' '  '";
  const all = (id: number) => `${`${id} `.repeat(8)}`;

  test.each([2147483647, 2147483648, 4294967294])("%d is that user", (uid) => {
    const { code, stdout } = run(ids, (config) => {
      config.process.user = { uid, gid: uid };
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: all(uid) });
    expect(succeed(["exec", "--user", `${uid}:${uid}`, startDetached(), "sh", "-c", ids])).toBe(all(uid));
  });

  test.each(["4294967295", "4294967296", "18446744073709551616", "-1", "0x10", "root", "1000a"])(
    "%s is refused",
    (uid) => {
      const bundle = makeBundle(ids);
      const written = JSON.stringify(bundle.config).replace('"uid":0', `"uid":${uid}`);
      writeFileSync(join(bundle.path, "config.json"), written);
      const { code, stdout, stderr } = tsrunc(["run", "--bundle", bundle.path, newId()]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/\/process\/user\/uid|config\.json/);
      const done = tsrunc(["exec", "--user", uid, startDetached(), "sh", "-c", ids]);
      expect(done).toMatchObject({ code: 255, stdout: "" });
    },
  );
});

describe("a /dev that is a symlink leads to no file of the host's (CVE-2026-41579, CVE-2026-47766, CVE-2026-88264)", () => {
  const cases = [
    ["the host's directory", false],
    ["a directory of the image by the same name", true],
  ] as const;

  test.each(cases)("by %s", (_, inside) => {
    const host = join(directory(), "host");
    mkdirSync(host);
    for (const readonly of [false, true]) {
      for (const terminal of [false, true]) {
        const bundle = makeBundle("ls /dev/", (config, { rootfs }) => {
          config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
          config.linux.devices = [{ path: "/dev/own", type: "c", major: 1, minor: 3 }];
          config.process.terminal = terminal;
          config.root.readonly = readonly;
          rmSync(join(rootfs, "dev"), { recursive: true, force: true });
          symlinkSync(host, join(rootfs, "dev"));
          if (inside) mkdirSync(join(rootfs, host), { recursive: true });
        });
        const { code, stdout, stderr } = tsrunc(["run", "--bundle", bundle.path, newId()]);
        // What is made is made in the image's own directory, or the container is refused.
        if (code === 0) expect(stdout).toContain("null");
        else expect(stderr).toContain("error during container init");
        expect(readdirSync(host)).toEqual([]);
      }
    }
  });
});

test("exec --user 1 is user 1, in the group 0 (CVE-2026-30892)", () => {
  const id = startDetached("sleep 1000");
  expect(succeed(["exec", "--user", "1", id, "sh", "-c", "echo $(id -u) $(id -g)"])).toBe("1 0\n");
  expect(succeed(["exec", "--user", "1:2", id, "sh", "-c", "echo $(id -u) $(id -g)"])).toBe("1 2\n");
});
