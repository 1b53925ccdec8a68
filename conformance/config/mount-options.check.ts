/** config.md, "Linux mount options": each option, as the kernel shows it afterwards. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { Mount } from "../harness/probe.ts";
import type { Subject } from "../harness/subject.ts";

/** What mountinfo must say, of the mount or of its filesystem; or must not. */
interface Shown {
  has?: string;
  lacks?: string;
}

/** An option on a tmpfs, with others beside it that it changes. */
const ON_TMPFS: readonly [option: string, beside: string[], shown: Shown][] = [
  ["async", ["sync"], { lacks: "sync" }],
  ["sync", [], { has: "sync" }],
  ["dirsync", [], { has: "dirsync" }],
  ["dev", ["nodev"], { lacks: "nodev" }],
  ["nodev", [], { has: "nodev" }],
  ["exec", ["noexec"], { lacks: "noexec" }],
  ["noexec", [], { has: "noexec" }],
  ["suid", ["nosuid"], { lacks: "nosuid" }],
  ["nosuid", [], { has: "nosuid" }],
  ["atime", ["noatime"], { lacks: "noatime" }],
  ["noatime", [], { has: "noatime" }],
  ["diratime", ["nodiratime"], { lacks: "nodiratime" }],
  ["nodiratime", [], { has: "nodiratime" }],
  ["relatime", [], { has: "relatime" }],
  ["norelatime", ["relatime"], {}],
  ["strictatime", [], { lacks: "relatime" }],
  ["nostrictatime", ["strictatime"], {}],
  ["lazytime", [], { has: "lazytime" }],
  ["nolazytime", ["lazytime"], { lacks: "lazytime" }],
  ["iversion", [], {}],
  ["noiversion", [], {}],
  ["silent", [], {}],
  ["loud", ["silent"], {}],
  ["defaults", [], { has: "rw" }],
  ["ro", [], { has: "ro" }],
  ["rw", ["ro"], { has: "rw" }],
  ["nosymfollow", [], { has: "nosymfollow" }],
  ["symfollow", ["nosymfollow"], { lacks: "nosymfollow" }],
];

for (const [option, beside, shown] of ON_TMPFS) {
  const list = [...beside, option];
  check(`config/mount-option-${option}`, `a tmpfs takes ${list.join(",")}`, async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: list });
    });
    expectShown(mounts, "/tmp", shown);
  });
}

/** An option of a bind, which its source has not. */
const ON_BIND: readonly [option: string, shown: Shown][] = [
  ["ro", { has: "ro" }],
  ["nosuid", { has: "nosuid" }],
  ["nodev", { has: "nodev" }],
  ["noexec", { has: "noexec" }],
  ["noatime", { has: "noatime" }],
  ["nodiratime", { has: "nodiratime" }],
  ["strictatime", { lacks: "relatime" }],
  ["nosymfollow", { has: "nosymfollow" }],
];

for (const [option, shown] of ON_BIND) {
  check(`config/mount-option-${option}`, `a bind takes ${option}`, async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "bind", source: source(subject), options: ["bind", option] });
    });
    expectShown(mounts, "/tmp", shown);
  });
}

check("config/mount-option-bind", "bind shows the source, without what is mounted below it", async (subject) => {
  const { mounts } = await subject.sight((spec) => {
    spec.mounts.push({ destination: "/tmp", type: "bind", source: "/proc", options: ["bind"] });
  });
  expect(mounts.filter(({ destination }) => destination.startsWith("/tmp")).map(({ type }) => type)).toEqual(["proc"]);
});

check("config/mount-option-rbind", "rbind shows what is mounted below the source, too", async (subject) => {
  const { mounts } = await subject.sight((spec) => {
    spec.mounts.push({ destination: "/tmp", type: "bind", source: "/sys", options: ["rbind"] });
  });
  const below = mounts.filter(({ destination }) => destination.startsWith("/tmp/"));
  expect(below.length, "mounts below the destination").toBeGreaterThan(0);
});

check("config/mount-option-bind", "a bind of a file makes the file at its destination", async (subject) => {
  const output = await subject.output("cat /made/by/runtime", (spec, { path }) => {
    spec.mounts.push({
      destination: "/made/by/runtime",
      type: "bind",
      source: join(path, "config.json"),
      options: ["bind", "ro"],
    });
  });
  expect(JSON.parse(output)).toMatchObject({ ociVersion: "1.0.2" });
});

check("config/mount-option-remount", "remount changes a mount made before", async (subject) => {
  const { mounts } = await subject.sight((spec) => {
    spec.mounts.push(
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["rw"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["remount", "ro"] },
    );
  });
  const options = mounts.findLast(({ destination }) => destination === "/tmp");
  expect([...(options?.options ?? []), ...(options?.superOptions ?? [])]).toContain("ro");
});

/** A propagation, and how mountinfo shows it. */
const PROPAGATIONS: readonly [option: string, shown: RegExp | null][] = [
  ["private", null],
  ["rprivate", null],
  ["shared", /^shared:\d+$/],
  ["rshared", /^shared:\d+$/],
  ["unbindable", /^unbindable$/],
  ["runbindable", /^unbindable$/],
];

for (const [option, shown] of PROPAGATIONS) {
  check(`config/mount-option-${option}`, `a tmpfs becomes ${option}`, async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [option] });
    });
    const { propagation = [] } = mounts.find(({ destination }) => destination === "/tmp") ?? {};
    if (shown === null) expect(propagation).toEqual([]);
    else expect(propagation).toEqual([expect.stringMatching(shown)]);
  });
}

for (const option of ["slave", "rslave"]) {
  check(`config/mount-option-${option}`, `a bind of a shared mount becomes ${option}`, async (subject) => {
    const shared = await sharedMount(subject);
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "bind", source: shared, options: ["rbind", option] });
    });
    const { propagation = [] } = mounts.find(({ destination }) => destination === "/tmp") ?? {};
    expect(propagation).toContainEqual(expect.stringMatching(/^master:\d+$/));
    expect(propagation).not.toContainEqual(expect.stringMatching(/^shared:/));
  });
}

/** A recursive option on a tree of two mounts: what each of them shows. */
const RECURSIVE: readonly [option: string, beside: string[], shown: Shown][] = [
  ["rro", [], { has: "ro" }],
  ["rrw", ["ro"], { has: "rw" }],
  ["rnosuid", [], { has: "nosuid" }],
  ["rsuid", ["nosuid"], { lacks: "nosuid" }],
  ["rnoexec", [], { has: "noexec" }],
  ["rexec", ["noexec"], { lacks: "noexec" }],
  ["rdev", ["nodev"], { lacks: "nodev" }],
  ["rnoatime", [], { has: "noatime" }],
  ["ratime", [], { lacks: "noatime" }],
  ["rnodiratime", [], { has: "nodiratime" }],
  ["rdiratime", [], { lacks: "nodiratime" }],
  ["rrelatime", [], { has: "relatime" }],
  ["rnorelatime", [], {}],
  ["rstrictatime", [], { lacks: "relatime" }],
  ["rnostrictatime", [], {}],
  ["rnosymfollow", [], { has: "nosymfollow" }],
  ["rsymfollow", [], { lacks: "nosymfollow" }],
];

for (const [option, beside, shown] of RECURSIVE) {
  check(`config/mount-option-${option}`, `${option} changes a bind and what is mounted below it`, async (subject) => {
    const tree = await sharedMount(subject);
    const { runCommand } = await import("../harness/command.ts");
    mkdirSync(join(tree, "below"));
    await runCommand("mount", ["-t", "tmpfs", "tmpfs", join(tree, "below")]);
    subject.afterwards(async () => void (await runCommand("umount", ["-l", join(tree, "below")])));
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "bind", source: tree, options: ["rbind", ...beside, option] });
    });
    expectShown(mounts, "/tmp", shown);
    expectShown(mounts, "/tmp/below", shown);
  });
}

check(
  "config/mount-options-treat-unknown-options-filesystem",
  "an unknown option goes to the filesystem",
  async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({
        destination: "/tmp",
        type: "tmpfs",
        source: "tmpfs",
        options: ["size=64k", "mode=1700", "nr_inodes=99"],
      });
    });
    expect(mounts.find(({ destination }) => destination === "/tmp")?.superOptions).toEqual(
      expect.arrayContaining(["size=64k", "mode=1700", "nr_inodes=99"]),
    );
  },
);

check(
  "config/mount-options-treat-unknown-options-filesystem",
  "an option that the filesystem refuses is an error",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuchoption=1"] });
    });
  },
);

/** A directory to bind. */
function source(subject: Subject): string {
  const path = join(subject.directory, "source");
  mkdirSync(path);
  return path;
}

/** A shared tmpfs on the host, unmounted when the check is over. */
async function sharedMount(subject: Subject): Promise<string> {
  const { runCommand } = await import("../harness/command.ts");
  const path = source(subject);
  const { code, stderr } = await runCommand("mount", ["--make-shared", "-t", "tmpfs", "tmpfs", path]);
  if (code !== 0) subject.skip(`cannot mount a tmpfs here: ${stderr.trim()}`);
  subject.afterwards(async () => void (await runCommand("umount", ["-l", path])));
  return path;
}

function expectShown(mounts: readonly Mount[], destination: string, { has, lacks }: Shown): void {
  const mount = mounts.findLast((each) => each.destination === destination);
  expect(mount, `a mount on ${destination}`).toBeDefined();
  const options = [...(mount?.options ?? []), ...(mount?.superOptions ?? [])];
  // `rw` of the filesystem says nothing of a mount that is `ro`.
  if (has === "rw") expect(mount?.options).toContain("rw");
  else if (has !== undefined) expect(options).toContain(has);
  if (lacks !== undefined) expect(options).not.toContain(lacks);
}
