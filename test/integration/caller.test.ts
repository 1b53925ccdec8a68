/**
 * What a command finds out about the machine, its caller and itself is its own caller's, not that of who built the engine, whose memory a
 * snapshot has. So each is asked by two callers that differ: at most one of them can be like the builder.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  cannotRun,
  directory,
  makeBundle,
  newId,
  refused,
  runtime,
  stateRoot,
  succeed,
  tsrunc,
  useContainers,
} from "./harness.ts";

useContainers();

/** Runs a script of the shell that must succeed; `$0` is the runtime. @returns its stdout */
function shell(script: string, env: Record<string, string> = {}): string {
  const done = spawnSync("sh", ["-ec", script, runtime], {
    cwd: directory(),
    env: { PATH: process.env.PATH ?? "", ...env },
    encoding: "utf8",
  });
  expect({ status: done.status, stderr: done.stderr }).toEqual({ status: 0, stderr: "" });
  return done.stdout;
}

/** What runs a command as another user. */
const as = (uid: number, gid: number) => `setpriv --reuid ${uid} --regid ${gid} --clear-groups`;

const OTHERS = [
  { uid: 65534, gid: 65533 },
  { uid: 4321, gid: 1234 },
];

test.each(OTHERS)("the configuration of an ordinary user maps the ids of who calls: $uid", ({ uid, gid }) => {
  const place = join(directory(), "own");
  mkdirSync(place);
  chownSync(place, uid, gid);
  shell(`${as(uid, gid)} "$0" spec --rootless --bundle ${place}`);
  const { linux } = JSON.parse(readFileSync(join(place, "config.json"), "utf8"));
  expect([linux.uidMappings[0].hostID, linux.gidMappings[0].hostID]).toEqual([uid, gid]);
});

test.each(OTHERS)(
  "containers of an ordinary user are kept in the XDG_RUNTIME_DIR of who calls: $uid",
  ({ uid, gid }) => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle(["true"]).path, id]);
    const own = join(directory(), "own");
    const kept = join(own, "tsrunc", id);
    mkdirSync(own);
    mkdirSync(join(own, "tsrunc"));
    mkdirSync(kept);
    cpSync(join(stateRoot(), id, "state.json"), join(kept, "state.json"));
    for (const path of [own, join(own, "tsrunc"), kept, join(kept, "state.json")]) {
      chmodSync(path, 0o700);
      chownSync(path, uid, gid);
    }
    const list = (directory: string) =>
      shell(`${as(uid, gid)} "$0" list --quiet`, { XDG_RUNTIME_DIR: directory }).trim();
    expect(list(own)).toBe(id);
    expect(list(join(own, "tsrunc"))).toBe("");
  },
);

test("relative paths start in the directory of who calls", () => {
  for (const name of ["one", "other"]) {
    const cwd = join(directory(), name);
    mkdirSync(cwd);
    succeed(["spec"], { cwd });
    expect(JSON.parse(readFileSync(join(cwd, "config.json"), "utf8"))).toMatchObject({ root: { path: "rootfs" } });
    expect(refused(["spec"], { cwd })).toContain(`${cwd}/config.json exists`);
  }
});

test.each(["Asia/Tokyo", "America/New_York"])(
  "a container is made when it is made, wherever the clock hangs: %s",
  (TZ) => {
    const id = newId();
    const before = Date.now();
    succeed(["create", "--bundle", makeBundle(["true"]).path, id], { env: { TZ } });
    const { created } = JSON.parse(succeed(["state", id], { env: { TZ } })) as { created: string };
    expect(created).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    expect(Date.parse(created)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(created)).toBeLessThanOrEqual(Date.now());
    const { code, stderr } = tsrunc(["state", `${id}-absent`], { env: { TZ } });
    expect(code).toBe(1);
    const time = /^time="([^"]*)"/.exec(stderr)?.[1] ?? "";
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(5000);
  },
);

test("what is printed is the same in all locales", () => {
  const bundle = makeBundle(["true"]);
  const printed = (LC_ALL: string) => {
    const env = { LC_ALL, LANG: LC_ALL };
    const explained = shell(`"$0" run --explain --bundle ${bundle.path} locale`, env);
    return [shell(`"$0" features`, env), shell(`"$0" --help`, env), explained];
  };
  const [features = "", help = "", explained = ""] = printed("C");
  expect(JSON.parse(features)).toMatchObject({ ociVersionMin: expect.any(String) });
  expect([help, explained].every((text) => text.length > 500)).toBe(true);
  expect(printed("tr_TR.UTF-8")).toEqual([features, help, explained]);
});

test.each([0o22, 0o77, 0])("files are made with the umask of who calls: %i", (mask) => {
  const file = join(directory(), "made.json");
  shell(`umask ${mask.toString(8)}; "$0" spec --file ${file}`);
  expect(statSync(file).mode & 0o777).toBe(0o666 & ~mask);
});

test.each([123, 456])("a container without rlimits has those of who calls: %i descriptors", (limit) => {
  const { path } = makeBundle(["sh", "-c", "ulimit -n"], (config) => {
    config.process.rlimits = [];
  });
  const script = `ulimit -n ${limit}; "$0" --root ${stateRoot()} run --bundle ${path} ${newId()}`;
  expect(shell(script).trim()).toBe(String(limit));
});

test("there may be more id-mapped mounts than descriptors", () => {
  const COUNT = 150;
  const maps = [{ containerID: 0, hostID: 77, size: 1 }];
  const { path } = makeBundle(
    ["sh", "-c", "ls /mapped | wc -l; stat -c %u /mapped/0 /mapped/149; ls /proc/self/fd"],
    (config) => {
      config.process.rlimits = [];
      for (let index = 0; index < COUNT; index++) {
        const mount = { destination: `/mapped/${index}`, source: directory(), options: ["bind"] };
        config.mounts.push({ ...mount, uidMappings: maps, gidMappings: maps });
      }
    },
  );
  const script = `ulimit -n 64; "$0" --root ${stateRoot()} run --bundle ${path} ${newId()}`;
  expect(shell(script).trim().split("\n")).toEqual([String(COUNT), "77", "77", "0", "1", "2", "3"]);
});

const unfit = cannotRun() ?? (existsSync("/sys/fs/cgroup/cgroup.controllers") ? "has no cgroup v1" : null);

test.skipIf(unfit !== null)(`the cgroups are those of the caller's mount namespace (${unfit ?? ""})`, () => {
  const { path } = makeBundle(["true"]);
  const explain = `"$0" --root ${stateRoot()} run --explain --bundle ${path} ${newId()}`;
  const changed = `umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; ${explain}`;
  const made = (plan: string) => plan.split("\n").filter((line) => /make the cgroups/.test(line));
  expect(made(shell(explain)).join()).toContain("(v1) /sys/fs/cgroup/");
  const there = made(shell(`unshare --mount --propagation private sh -ec '${changed}' "$0"`));
  expect(there).toEqual([expect.stringContaining("(v2) /sys/fs/cgroup/")]);
});
