import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Mount } from "../../src/config/types.ts";
import { directory, isTsrunc, makeBundle, newId, output, refused, succeed, useContainers } from "./harness.ts";

useContainers();

/** The options that the kernel shows for a mount point inside a container with one more mount. */
function optionsOf(mount: Mount): string[] {
  const table = output("cat /proc/self/mountinfo", (config) => void config.mounts.push(mount));
  const line = table.split("\n").find((row) => row.split(" ")[4] === mount.destination) ?? "";
  return [...(line.split(" ")[5] ?? "").split(","), ...(line.split(" - ")[1]?.split(" ")[2] ?? "").split(",")];
}

function source(name: string, text: string): string {
  const path = join(directory(), name);
  writeFileSync(path, text);
  return path;
}

function sourceDirectory(name: string): string {
  const path = join(directory(), name);
  mkdirSync(path);
  return path;
}

describe("a bind mount", () => {
  test("of a directory shows it, its target made in the rootfs", () => {
    const from = sourceDirectory("data");
    writeFileSync(join(from, "file"), "text");
    const mount = { destination: "/new/deep/data", type: "bind", source: from, options: ["rbind"] };
    expect(output("cat /new/deep/data/file", (config) => void config.mounts.push(mount))).toBe("text");
  });

  test("of a file makes a file for it", () => {
    const mount = { destination: "/etc/injected", type: "bind", source: source("one", "text"), options: ["bind"] };
    expect(output("cat /etc/injected", (config) => void config.mounts.push(mount))).toBe("text");
  });

  test("takes a source relative to the bundle", () => {
    const text = output("cat /mnt", (config, bundle) => {
      writeFileSync(join(bundle.path, "beside"), "text");
      config.mounts.push({ destination: "/mnt", type: "bind", source: "beside", options: ["bind"] });
    });
    expect(text).toBe("text");
  });

  test("is writable by default, and read-only with ro", () => {
    const from = sourceDirectory("data");
    const script = "(echo text > /data/file) 2>/dev/null && echo written || echo refused";
    const with_ = (...options: string[]): string =>
      output(script, (config) => {
        config.mounts.push({ destination: "/data", type: "bind", source: from, options });
      });
    expect(with_("bind")).toBe("written");
    expect(readFileSync(join(from, "file"), "utf8")).toBe("text\n");
    expect(with_("bind", "ro")).toBe("refused");
  });

  test.each([
    [["nosuid"], "nosuid"],
    [["nodev"], "nodev"],
    [["noexec"], "noexec"],
    [["noatime"], "noatime"],
  ])("carries out %j", (options, shown) => {
    const from = sourceDirectory("data");
    expect(optionsOf({ destination: "/data", type: "bind", source: from, options: ["bind", ...options] })).toContain(
      shown,
    );
  });

  test("with a missing source is refused by its path", () => {
    const mount = { destination: "/data", type: "bind", source: "/no/such/source", options: ["bind"] };
    const bundle = makeBundle("true", (config) => void config.mounts.push(mount));
    expect(refused(["run", "--bundle", bundle.path, newId()])).toMatch(/\/no\/such\/source/);
  });
});

describe("a destination", () => {
  test("that is a symlink to the host's root stays in the rootfs", () => {
    const outside = sourceDirectory("outside");
    const from = sourceDirectory("data");
    writeFileSync(join(from, "file"), "text");
    const bundle = makeBundle(["cat", "/link/mnt/file"], (config, { rootfs }) => {
      symlinkSync(outside, join(rootfs, "link"));
      config.mounts.push({ destination: "/link/mnt", type: "bind", source: from, options: ["bind"] });
    });
    expect(succeed(["run", "--bundle", bundle.path, newId()])).toBe("text");
    expect(existsSync(join(outside, "mnt"))).toBe(false);
    expect(existsSync(join(bundle.rootfs, outside, "mnt"))).toBe(true);
  });

  test("cannot climb out of the rootfs with ..", () => {
    const bundle = makeBundle("true", (config, { rootfs }) => {
      symlinkSync("../../../../../../../..", join(rootfs, "up"));
      config.mounts.push({ destination: "/up/escaped", type: "tmpfs", source: "tmpfs" });
    });
    succeed(["run", "--bundle", bundle.path, newId()]);
    expect(lstatSync(join(bundle.rootfs, "escaped")).isDirectory()).toBe(true);
    expect(existsSync("/escaped")).toBe(false);
  });
});

describe("a tmpfs", () => {
  test("takes its flags and its data", () => {
    const options = optionsOf({
      destination: "/scratch",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "nodev", "size=1024k", "mode=700"],
    });
    expect(options).toEqual(expect.arrayContaining(["nosuid", "nodev", "size=1024k", "mode=700"]));
  });

  test("with tmpcopyup starts with what the directory held", () => {
    const bundle = makeBundle("cat /data/file; echo new > /data/file", (config, { rootfs }) => {
      mkdirSync(join(rootfs, "data"));
      writeFileSync(join(rootfs, "data/file"), "original\n");
      config.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
    });
    expect(succeed(["run", "--bundle", bundle.path, newId()])).toBe("original\n");
    expect(readFileSync(join(bundle.rootfs, "data/file"), "utf8")).toBe("original\n");
  });
});

test("mounts are made in the order of the config", () => {
  const from = sourceDirectory("data");
  mkdirSync(join(from, "sub"));
  const text = output("cat /data/sub/file", (config) => {
    config.mounts.push(
      { destination: "/data", type: "bind", source: from, options: ["bind"] },
      { destination: "/data/sub", type: "bind", source: sourceDirectory("inner"), options: ["bind"] },
    );
    writeFileSync(join(directory(), "inner/file"), "inner");
  });
  expect(text).toBe("inner");
});

test("nothing that the container mounts shows on the host", () => {
  const inside = output("mount -t tmpfs tmpfs /tmp && grep -c ' /tmp ' /proc/self/mountinfo", (config) => {
    for (const set of ["bounding", "effective", "permitted"] as const) {
      config.process.capabilities[set]?.push("CAP_SYS_ADMIN");
    }
  });
  expect(Number(inside)).toBeGreaterThan(0);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory());
});

test.each([
  ["rshared", "shared:"],
  ["rslave", "master:"],
  ["rprivate", ""],
] as const)("rootfsPropagation %s is what the root mount has", (rootfsPropagation, tag) => {
  const table = output("cat /proc/self/mountinfo", (config) => {
    config.linux.rootfsPropagation = rootfsPropagation;
  });
  const root = table.split("\n").find((line) => line.split(" ")[4] === "/") ?? "";
  expect(root).toContain(" - ");
  const optional = root.split(" - ")[0]?.split(" ").slice(6).join(" ") ?? "";
  // runc 1.1 makes the root private whatever the config says.
  if (tag === "shared:" && isTsrunc) expect(optional).toContain(tag);
  if (tag !== "shared:") expect(optional).not.toContain("shared:");
});

test.runIf(isTsrunc)("a failed mount names its entry, source, target and errno", () => {
  const bundle = makeBundle("true", (config) => {
    config.mounts.push({ destination: "/etc/passwd", type: "bind", source: "/srv", options: ["rbind", "ro"] });
  });
  const error = refused(["run", "--bundle", bundle.path, newId()]);
  expect(error).toMatch(/\/mounts\/6/);
  expect(error).toMatch(/\/srv/);
  expect(error).toMatch(/etc\/passwd/);
  expect(error).toMatch(/ENOTDIR/);
});

test.each([false, true])("a cgroup mount shows the container's own cgroup (cgroup namespace: %j)", (namespace) => {
  const [cgroups = "", mounts = ""] = output("cat /proc/self/cgroup; echo --; cat /proc/self/mountinfo", (config) => {
    const options = ["nosuid", "noexec", "nodev", "relatime", "ro"];
    // Early, when the cgroups may be still being made.
    config.mounts = [
      { destination: "/sys", type: "sysfs", source: "sysfs", options },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options },
      { destination: "/proc", type: "proc", source: "proc" },
    ];
    if (namespace) config.linux.namespaces.push({ type: "cgroup" });
  }).split("--\n");
  // hierarchy-id:controllers:path; the root of a mount is the directory of its filesystem that it shows.
  const own = new Map(cgroups.split("\n").map((line) => line.split(":").slice(1) as [string, string]));
  const shown = mounts.split("\n").flatMap((line) => {
    const [, root, fstype, options = ""] = /^\S+ \S+ \S+ (\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
    const controllers = options.replace(/^(rw|ro),?/, "").replace(/^xattr,/, "");
    return fstype === undefined ? [] : [{ root, controllers: fstype === "cgroup2" ? "" : controllers }];
  });
  expect(shown.length).toBeGreaterThan(0);
  // v2 alone is shown whole to a container without a namespace of its own, as by runc.
  const isWhole = !namespace && shown.every(({ controllers }) => controllers === "");
  for (const { root, controllers } of shown) {
    expect([controllers, root]).toEqual([controllers, isWhole ? "/" : own.get(controllers)]);
    if (!namespace && !isWhole) expect(root).not.toBe("/");
  }
});

// Strict access times are shown by the absence of others. The filesystem and the mount are both writable.
test.each([
  [
    ["noatime", "relatime", "strictatime"],
    ["rw", "rw"],
  ],
  [
    ["noatime", "relatime"],
    ["noatime", "rw", "rw"],
  ],
  [
    ["iversion", "nodev"],
    ["nodev", "relatime", "rw", "rw"],
  ],
])("a tmpfs with the options %j has what mount(2) makes of them: %j", (options, expected) => {
  const shown = optionsOf({ destination: "/mnt", type: "tmpfs", source: "tmpfs", options });
  expect(shown.filter((one) => /atime|dev|^rw$/.test(one)).sort()).toEqual(expected);
});

test("the rootfs may lie on a shared mount", () => {
  const bundle = makeBundle(["echo", "fine"]);
  execFileSync("mount", ["--bind", bundle.path, bundle.path]);
  try {
    execFileSync("mount", ["--make-shared", bundle.path]);
    expect(succeed(["run", "--bundle", bundle.path, newId()])).toBe("fine\n");
  } finally {
    execFileSync("umount", ["-R", bundle.path]);
  }
});
