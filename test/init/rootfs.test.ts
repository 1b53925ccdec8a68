import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Linux, Mount, NamespaceType, Root } from "../../src/config/types.ts";
import { Driver, type DriverResult, runCommand } from "../support/driver.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { findBusybox, makeRootfs } from "../support/rootfs.ts";
import type { RootfsRequest } from "./rootfs.driver.ts";

const impossible = whyNotPrivileged() ?? (findBusybox() === null ? "needs busybox" : null);
const driver = new Driver("test/init/rootfs.driver.ts");
afterAll(() => driver[Symbol.dispose]());

let bundle: string;
let rootfs: string;

beforeEach((context) => {
  if (impossible !== null) context.skip(impossible);
  bundle = mkdtempSync(join(tmpdir(), "tsrunc-rootfs-"));
  chmodSync(bundle, 0o755);
  rootfs = join(bundle, "rootfs");
  mkdirSync(rootfs);
  makeRootfs(rootfs);
  // In a user namespace the container's root cannot make it.
  mkdirSync(join(rootfs, "mnt"));
});

afterEach(() => {
  if (bundle === undefined) return;
  const left = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes(bundle));
  rmSync(bundle, { recursive: true });
  expect(left).toEqual([]);
});

interface Container {
  mounts?: Mount[];
  linux?: Linux;
  root?: Omit<Root, "path">;
  namespaces?: NamespaceType[];
  noPivot?: boolean;
  /** A shell script that prepares the mount namespace that the driver runs in. */
  prepare?: string;
}

const PROC: Mount = { destination: "/proc", type: "proc", source: "proc" };
const DEV: Mount = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"] };
const MAPPED = [{ containerID: 0, hostID: 100000, size: 65536 }];

/** Runs a script in a container. */
function container(script: string, { mounts = [PROC, DEV], ...rest }: Container = {}): DriverResult {
  const namespaces = rest.namespaces ?? ["mount", "pid"];
  const user = namespaces.includes("user") ? { uidMappings: MAPPED, gidMappings: MAPPED } : {};
  const linux = { namespaces: namespaces.map((type) => ({ type })), ...user, ...rest.linux };
  const request: RootfsRequest = {
    bundle,
    rootfs,
    script,
    noPivot: rest.noPivot ?? false,
    spec: { ociVersion: "1.3.0", root: { path: "rootfs", ...rest.root }, mounts, linux },
  };
  const command = driver.command(JSON.stringify(request));
  if (rest.prepare === undefined) return runCommand(command);
  return runCommand([
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    `${rest.prepare}\nexec "$@"`,
    "sh",
    ...command,
  ]);
}

/** What a script prints in a container in which nothing fails. */
function output(script: string, options?: Container): string {
  const { status, stdout, stderr } = container(script, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trim();
}

/** Why a container cannot be made. */
function failure(options: Container): string {
  const { status, stderr } = container("true", options);
  expect(status).toBe(1);
  return stderr.trim();
}

/** The options of the mount on a path, as the container's mountinfo has them. */
function optionsOn(path: string): string {
  return `awk '$5 == "${path}" { print $6 }' /proc/self/mountinfo | tail -n 1`;
}

function withMount(mount: Mount): Container {
  return { mounts: [PROC, DEV, mount] };
}

function source(name: string, files: Record<string, string> = {}): string {
  const path = join(bundle, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

describe("the root", () => {
  test.each([false, true])("holds nothing of the host any more (without pivot_root: %s)", (noPivot) => {
    expect(output("ls /", { noPivot })).toBe(readdirSync(rootfs).sort().join("\n"));
    if (!noPivot) expect(output("awk '{ print $5 }' /proc/self/mountinfo")).toBe("/\n/proc\n/dev");
  });

  test("can be left by no descriptor", () => {
    const open = output("ls /proc/self/fd").split("\n").map(Number);
    // 3 is the directory that ls itself reads.
    expect(open.filter((fd) => fd > 3)).toEqual([]);
  });

  test("is read-only when asked for, but not what is mounted in it", () => {
    expect(output("touch /file 2>/dev/null || echo refused; touch /dev/file", { root: { readonly: true } })).toBe(
      "refused",
    );
  });
});

describe("a destination", () => {
  test("is made, with its parents, as a directory or as a file", () => {
    const data = source("data", { file: "text" });
    const bind = (from: string, destination: string): Mount => ({ destination, source: from, options: ["bind"] });
    const mounts = [PROC, bind(data, "/new/place"), bind(join(data, "file"), "/new/file")];
    expect(output("cat /new/place/file /new/file", { mounts })).toBe("texttext");
  });

  test("that goes through a symlink stays in the rootfs", () => {
    const data = source("data", { file: "text" });
    const outside = source("outside");
    symlinkSync(outside, join(rootfs, "link"));
    const mount = { destination: "/link/below", source: data, options: ["bind"] };
    expect(output("cat /link/below/file", withMount(mount))).toBe("text");
    expect(readdirSync(outside)).toEqual([]);
  });

  test.each(["proc", "sysfs"])("of %s may not be a symlink", (type) => {
    symlinkSync("/tmp", join(rootfs, "link"));
    const error = failure(withMount({ destination: "/link", type, source: type }));
    expect(error).toMatch(`filesystem "${type}" must be mounted on ordinary directory`);
  });

  test("in /proc is refused, through a symlink, too, but for the files that lxcfs serves", () => {
    const data = source("data", { stat: "served" });
    symlinkSync("/proc/sys", join(rootfs, "link"));
    const bind = (from: string, destination: string) => withMount({ destination, source: from, options: ["bind"] });
    expect(failure(bind(data, "/proc/sys"))).toMatch('"/proc/sys" cannot be mounted because it is inside /proc');
    expect(failure(bind(data, "/link/kernel"))).toMatch(
      '"/proc/sys/kernel" cannot be mounted because it is inside /proc',
    );
    expect(failure(bind(data, "/proc"))).toMatch('"/proc" cannot be mounted because it is not of type proc');
    expect(output("cat /proc/stat", bind(join(data, "stat"), "/proc/stat"))).toBe("served");
  });

  test("on the top of the rootfs is refused, through a symlink, too", () => {
    symlinkSync("/", join(rootfs, "link"));
    expect(failure(withMount({ destination: "/link", type: "tmpfs", source: "tmpfs" }))).toMatch(
      "on the top of rootfs",
    );
  });
});

describe("a failed mount says what, where and why", () => {
  test("when the source does not exist", () => {
    expect(failure(withMount({ destination: "/mnt", source: "/no/such", options: ["bind", "ro"] }))).toBe(
      "mount 2 of config.json (/mounts/2): bind /no/such on rootfs/mnt [bind,ro]: open_tree /no/such: ENOENT: no such file or directory (the source does not exist)",
    );
  });

  test("when only one of source and target is a directory", () => {
    const data = source("data", { file: "" });
    expect(failure(withMount({ destination: "/etc/passwd", source: data, options: ["bind"] }))).toMatch(
      "ENOTDIR: not a directory (the source: a directory, the target: a file)",
    );
    expect(failure(withMount({ destination: "/etc", source: join(data, "file"), options: ["bind"] }))).toMatch(
      "(the source: a file, the target: a directory)",
    );
  });

  test("when the filesystem does not know an option, or the kernel the filesystem", () => {
    const tmpfs = { destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["mode=755", "no_such=1"] };
    expect(failure(withMount(tmpfs))).toMatch(/EINVAL: invalid argument \(option no_such=1/);
    expect(failure(withMount({ ...tmpfs, type: "no_such_fs" }))).toMatch(
      /ENODEV.*does not know the filesystem no_such_fs/,
    );
    for (const type of ["", "none"]) {
      expect(failure(withMount({ ...tmpfs, type }))).toMatch(/ENODEV.*needs one of the options bind and rbind/);
    }
  });
});

describe("a bind mount", () => {
  const flags = (...options: string[]): string => {
    const mount = { destination: "/mnt", source: "source", options: ["bind", ...options] };
    const prepare = `mount -t tmpfs none ${source("source")}; mount -o remount,bind,ro,nosuid,noatime ${join(bundle, "source")}`;
    return output(optionsOn("/mnt"), { ...withMount(mount), prepare });
  };

  test("keeps the flags of its source when no option is about flags", () => {
    expect(flags("rprivate")).toBe("ro,nosuid,noatime");
  });

  test("has the flags of its options and no others, access times apart", () => {
    expect(flags("nodev")).toBe("rw,nodev,noatime");
    expect(flags("nodev", "atime")).toBe("rw,nodev,noatime");
    expect(flags("relatime")).toBe("rw,relatime");
    expect(flags("nodiratime")).toBe("rw,nodiratime,relatime");
  });

  test("with remount gives the mount that is there the flags of its options and no others", () => {
    const change = (options: string[]) => ({ destination: "/mnt", type: "bind", source: "/", options });
    const spec = withMount({ destination: "/mnt", type: "tmpfs", source: "none", options: ["nosuid", "noatime"] });
    spec.mounts?.push(change(["bind", "remount", "ro", "nodev"]));
    expect(output(`${optionsOn("/mnt")}; stat -f -c %T /mnt`, spec)).toBe("ro,nodev,noatime\ntmpfs");
    spec.mounts?.push(change(["rbind", "remount"]));
    expect(output(optionsOn("/mnt"), spec)).toBe("rw,noatime");
  });

  test("with remount changes the root itself, too", () => {
    const mount = { destination: "/", type: "bind", source: "/", options: ["bind", "remount", "ro", "nosuid"] };
    expect(output(optionsOn("/"), withMount(mount))).toBe("ro,nosuid,relatime");
  });

  test("with remount needs a mount to change", () => {
    const mount = { destination: "/etc", type: "bind", source: "/", options: ["bind", "remount", "ro"] };
    expect(failure(withMount(mount))).toMatch(/change the mount on rootfs\/etc.*EINVAL.*nothing is mounted there/);
  });

  test("of a tree is read-only at its top with ro, and everywhere with rro", () => {
    const data = source("data/below");
    const prepare = `mount -t tmpfs none ${data}`;
    const options = (...more: string[]) =>
      withMount({ destination: "/mnt", source: "data", options: ["rbind", ...more] });
    const script = `${optionsOn("/mnt")}; ${optionsOn("/mnt/below")}`;
    expect(output(script, { ...options("ro"), prepare })).toBe("ro,relatime\nrw,relatime");
    expect(output(script, { ...options("rro"), prepare })).toBe("ro,relatime\nro,relatime");
    expect(output(script, { ...options("rro", "rnosuid", "rnoatime"), prepare })).toBe(
      "ro,nosuid,noatime\nro,nosuid,noatime",
    );
  });

  test.each([
    ["rprivate", ""],
    ["rslave", "master:"],
    ["rshared", "shared:"],
  ])("of a shared source propagates as %s says", (propagation, tag) => {
    const prepare = `mount -t tmpfs none ${source("source")}; mount --make-shared ${join(bundle, "source")}`;
    const mount = { destination: "/mnt", source: "source", options: ["rbind", propagation] };
    const fields = output(`awk '$5 == "/mnt" { print $7 }' /proc/self/mountinfo`, { ...withMount(mount), prepare });
    expect(fields.startsWith(tag === "" ? "-" : tag)).toBe(true);
  });

  test("may have its source in what was mounted before it", () => {
    const mounts = [
      PROC,
      { destination: "/mnt", type: "tmpfs", source: "tmpfs" },
      { destination: "/mnt/data", source: source("data", { file: "text" }), options: ["bind"] },
      { destination: "/copy", source: join(rootfs, "mnt"), options: ["rbind"] },
    ];
    expect(output("cat /copy/data/file", { mounts })).toBe("text");
  });
});

describe("in a user namespace", () => {
  const namespaces: NamespaceType[] = ["mount", "pid", "user"];

  test("devices are the host's, bound", () => {
    expect(output("echo gone > /dev/null; head -c 4 /dev/zero | wc -c; stat -c %t:%T /dev/tty", { namespaces })).toBe(
      "4\n5:0",
    );
  });

  test("devices that the host lacks are made by the parent, with the owner as the container has it", () => {
    const devices = [
      { path: "/dev/sub/only-here", type: "c" as const, major: 1, minor: 5, fileMode: 0o640, uid: 3, gid: 4 },
    ];
    const script = "stat -c '%t:%T %a %u:%g' /dev/sub/only-here; head -c 3 /dev/sub/only-here | wc -c";
    const shown = output(script, { namespaces, linux: { namespaces: namespaces.map((type) => ({ type })), devices } });
    expect(shown).toBe("1:5 640 3:4\n3");
  });

  test("a device whose path is another's on the host is not that one", () => {
    const devices = [{ path: "/dev/full", type: "c" as const, major: 1, minor: 5 }];
    const linux = { namespaces: namespaces.map((type) => ({ type })), devices };
    expect(output("stat -c %t:%T /dev/full; head -c 3 /dev/full | wc -c", { namespaces, linux })).toBe("1:5\n3");
  });

  test("a source that the container's root may not reach is bound all the same", () => {
    const data = source("closed/data", { file: "text" });
    chmodSync(join(bundle, "closed"), 0o700);
    const mount = { destination: "/mnt", source: data, options: ["bind", "ro"] };
    expect(output(`cat /mnt/file; ${optionsOn("/mnt")}`, { ...withMount(mount), namespaces })).toBe("textro,relatime");
  });

  test("flags of the source are locked: kept where nothing is said, and an error where one is to be cleared", () => {
    const prepare = `mount -t tmpfs none ${source("source")}; mount -o remount,bind,nodev,nosuid,noexec ${join(bundle, "source")}`;
    const mount = (...options: string[]) =>
      withMount({ destination: "/mnt", source: "source", options: ["bind", ...options] });
    expect(output(optionsOn("/mnt"), { ...mount("ro"), namespaces, prepare })).toBe("ro,nosuid,nodev,noexec,relatime");
    expect(failure({ ...mount("ro", "dev"), namespaces, prepare })).toMatch(
      /cannot clear locked flags nodev: operation not permitted/,
    );
    expect(failure({ ...mount("strictatime"), namespaces, prepare })).toMatch(/locked flags.*operation not permitted/);
  });

  test("rw on a read-only source gives a read-only mount and a warning: Podman writes it everywhere", () => {
    const prepare = `mount -t tmpfs none ${source("source")}; mount -o remount,bind,ro,nodev,nosuid ${join(bundle, "source")}`;
    const mount = { destination: "/mnt", source: "source", options: ["rbind", "rw", "noexec"] };
    const { stdout, stderr } = container(optionsOn("/mnt"), { ...withMount(mount), namespaces, prepare });
    expect(stdout.trim()).toBe("ro,nosuid,nodev,noexec,relatime");
    expect(stderr).toMatch(/^warning: \/mounts\/\d+: \/mnt: rw is not permitted: the source is read-only/);
  });

  test("sysfs of another's network namespace is bound from the host", () => {
    const mount = { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec", "nodev"] };
    expect(output(`test -d /sys/class && ${optionsOn("/sys")}`, { ...withMount(mount), namespaces })).toMatch(
      /^ro,nosuid,nodev,noexec/,
    );
  });
});

describe("an id-mapped mount", () => {
  const maps = [{ containerID: 0, hostID: 5000, size: 10 }];
  const mount = (...options: string[]): Mount => ({
    destination: "/mnt",
    source: source("data", { file: "" }),
    options: ["rbind", ...options],
    uidMappings: maps,
    gidMappings: maps,
  });

  test("shows other owners than the host", () => {
    expect(output("stat -c %u:%g /mnt/file", withMount(mount("idmap")))).toBe("5000:5000");
    expect(lstatSync(join(bundle, "data/file")).uid).toBe(0);
  });

  test("is made for a user namespace by the parent", () => {
    const options: Container = {
      ...withMount({ destination: "/mnt", source: source("data", { file: "" }), options: ["bind", "idmap"] }),
      namespaces: ["mount", "pid", "user"],
    };
    expect(output("stat -c %u:%g /mnt/file", options)).toBe("0:0");
  });

  test("maps the mounts below it with ridmap only", () => {
    source("data/below");
    // (tmpfs can be mapped from Linux 6.3 on.)
    const prepare = `mount --bind ${source("other")} ${join(bundle, "data/below")}`;
    const script = "stat -c %u /mnt/file /mnt/below";
    expect(output(script, { ...withMount(mount("idmap")), prepare })).toBe("5000\n0");
    expect(output(script, { ...withMount(mount("ridmap")), prepare })).toBe("5000\n5000");
  });
});

describe("a tmpfs", () => {
  test("takes the mode of the directory under it, unless an option or nothing is there", () => {
    mkdirSync(join(rootfs, "there"));
    chmodSync(join(rootfs, "there"), 0o1710);
    const mode = (destination: string, ...options: string[]) =>
      output(`stat -c %a ${destination}`, withMount({ destination, type: "tmpfs", source: "tmpfs", options }));
    expect(mode("/there")).toBe("1710");
    expect(mode("/there", "mode=0700")).toBe("700");
    expect(mode("/not/there")).toBe("1777");
  });

  test("with tmpcopyup holds what it covers, with owners, modes, links and nodes", () => {
    const filled = join(rootfs, "filled");
    mkdirSync(join(filled, "below"), { recursive: true });
    writeFileSync(join(filled, "below/file"), "text");
    chownSync(join(filled, "below/file"), 1, 2);
    chmodSync(join(filled, "below/file"), 0o4750);
    chmodSync(join(filled, "below"), 0o711);
    symlinkSync("file", join(filled, "below/link"));
    execFileSync("mkfifo", ["-m", "620", join(filled, "pipe")]);
    const mount = { destination: "/filled", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] };
    const script =
      "cd /filled; stat -c '%n %F %a %u:%g' below below/file pipe; readlink below/link; cat below/file; touch new";
    expect(output(script, withMount(mount)).split("\n")).toEqual([
      "below directory 711 0:0",
      "below/file regular file 4750 1:2",
      "pipe fifo 620 0:0",
      "file",
      "text",
    ]);
    expect(existsSync(join(filled, "new"))).toBe(false);
  });

  test("that is read-only is so in the end", () => {
    const mount = { destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["ro", "nosuid"] };
    expect(output(optionsOn("/mnt"), withMount(mount))).toBe("ro,nosuid,relatime");
  });
});

describe("devices", () => {
  test("are the default ones with their numbers and modes, whatever the umask", () => {
    const listed = output("cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty").split("\n");
    expect(listed).toEqual([
      "null 1:3 666",
      "zero 1:5 666",
      "full 1:7 666",
      "random 1:8 666",
      "urandom 1:9 666",
      "tty 5:0 666",
    ]);
    expect(output("cd /dev; for link in fd stdin ptmx; do readlink $link; done")).toBe(
      "/proc/self/fd\n/proc/self/fd/0\npts/ptmx",
    );
  });

  test("of linux.devices have their owner and mode", () => {
    const devices = [
      { path: "/dev/sub/fuse", type: "c" as const, major: 10, minor: 229, fileMode: 0o640, uid: 3, gid: 4 },
    ];
    const linux: Linux = { namespaces: [{ type: "mount" }, { type: "pid" }], devices };
    expect(output("stat -c '%t:%T %a %u:%g' /dev/sub/fuse", { linux })).toBe("a:e5 640 3:4");
  });

  const listed = (path: string, more: object = {}): Linux => ({
    namespaces: [{ type: "mount" }, { type: "pid" }],
    devices: [{ path, type: "c", major: 1, minor: 3, ...more }],
  });

  test.each([
    ["a file", "echo text > $0", "a file"],
    ["an empty file", "touch $0", "a file"],
    ["a directory", "mkdir $0", "a directory"],
    ["a symlink", "ln -s /dev/null $0", "a symlink"],
    ["a symlink that leads to it", "mknod $0.real c 1 3; ln -s there.real $0", "a symlink"],
    ["another device", "mknod $0 c 1 5", "the character device 1:5"],
    ["a device of another type", "mknod $0 b 1 3", "the block device 1:3"],
    ["a pipe", "mkfifo $0", "a pipe"],
  ])("of linux.devices are not taken to be there where %s is", (_, command, words) => {
    execFileSync("sh", ["-ec", command, join(rootfs, "dev/there")]);
    const message = failure({ mounts: [PROC], linux: listed("/dev/there") });
    expect(message).toContain(`/dev/there is there already, and is ${words}, not there (c 1:3 0666)`);
  });

  test("of linux.devices that are there get the mode and owner that are asked for", () => {
    execFileSync("sh", ["-ec", "mknod -m 600 $0 c 1 3", join(rootfs, "dev/there")]);
    const linux = listed("/dev/there", { fileMode: 0o640, uid: 3, gid: 4 });
    expect(output("stat -c '%t:%T %a %u:%g' /dev/there", { mounts: [PROC], linux })).toBe("1:3 640 3:4");
  });

  test("of linux.devices that are pipes may be there", () => {
    execFileSync("mkfifo", ["-m", "600", join(rootfs, "dev/pipe")]);
    const linux = listed("/dev/pipe", { type: "p", uid: 7 });
    expect(output("stat -c '%F %a %u' /dev/pipe", { mounts: [PROC], linux })).toBe("fifo 666 7");
  });

  test("that are usual are bound on the empty files that a start in a user namespace has left", () => {
    execFileSync("touch", [join(rootfs, "dev/zero")]);
    expect(output("head -c 3 /dev/zero | wc -c", { mounts: [PROC] })).toBe("3");
  });
});

describe("protected paths", () => {
  const protect = (linux: Partial<Linux>): Linux => ({ namespaces: [{ type: "mount" }, { type: "pid" }], ...linux });

  test("are empty and cannot be written to when masked, and passed over when missing", () => {
    writeFileSync(join(rootfs, "etc/secret"), "secret");
    const linux = protect({ maskedPaths: ["/etc/secret", "/root", "/no/such", "/tmp"] });
    writeFileSync(join(rootfs, "root/file"), "secret");
    const script = "cat /etc/secret; ls /root /tmp | grep -v :; touch /root/file 2>/dev/null || echo refused";
    expect(output(script, { linux })).toBe("refused");
  });

  test("are masked by one tmpfs for all directories", () => {
    const linux = protect({ maskedPaths: ["/root", "/tmp"] });
    expect(output("test $(stat -c %d /root) = $(stat -c %d /tmp) && echo one", { linux })).toBe("one");
  });

  test("are not masked by something that only has the name of the null device", () => {
    writeFileSync(join(rootfs, "dev/null"), "not it");
    const linux = protect({ maskedPaths: ["/etc/passwd"] });
    expect(failure({ mounts: [PROC], linux })).toMatch(/not the null device/);
  });

  test("can be read and not written to when read-only, and passed over when missing", () => {
    const linux = protect({ readonlyPaths: ["/etc", "/no/such"] });
    expect(output("head -n 1 /etc/group; touch /etc/group 2>/dev/null || echo refused", { linux })).toBe(
      "root:x:0:\nrefused",
    );
  });

  test("need no /proc in the container", () => {
    const linux = protect({ readonlyPaths: ["/etc"], maskedPaths: ["/root"] });
    expect(output("ls /root", { mounts: [DEV], linux })).toBe("");
  });
});
