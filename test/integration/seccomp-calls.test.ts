/** What filters of system calls do on each of the machine's ABIs, and where profiles say several things of one call: as libseccomp has it for runc. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { Seccomp } from "../../src/config/types.ts";
import { findLibseccomp } from "../../src/sys/libseccomp.ts";
import { directory, hasProgram, makeBundle, newId, tsrunc, useContainers } from "./harness.ts";

useContainers();

const DOCKER = "../shared/bundles/docker/config.json";
const PYTHON = "/usr/bin/python3";
const missing =
  findLibseccomp() === null
    ? "needs libseccomp2"
    : process.arch !== "x64"
      ? "needs x86_64"
      : !existsSync(PYTHON)
        ? `needs ${PYTHON}`
        : null;

/** Calls by number on x86_64 and i386. */
const MKDIR = { x86_64: 83, x32: 83, i386: 39 };
const GETPRIORITY = 140;
const SOCKET = { x86_64: 41, i386: 359, multiplexed: 102 };
const [AF_INET, AF_NETLINK] = [2, 16];

/** A container that makes calls, see seccomp-probe.py. */
function probing(seccomp: object, calls: readonly string[], noNewPrivileges = true): string {
  return makeBundle([PYTHON, "/probe", ...calls], (config) => {
    config.linux.seccomp = seccomp as Seccomp;
    config.process.noNewPrivileges = noNewPrivileges;
    const places = { "/probe": resolve("test/support/seccomp-probe.py") };
    for (const path of ["/usr", "/lib", "/lib64", "/etc"])
      if (existsSync(path)) Object.assign(places, { [path]: path });
    for (const [destination, source] of Object.entries(places))
      config.mounts.push({ destination, type: "bind", source, options: ["rbind", "ro"] });
  }).path;
}

/** What comes of calls under a profile. @returns a line for each */
function answers(seccomp: object, calls: readonly string[]): string[] {
  const { code, stdout, stderr } = tsrunc(["run", "--bundle", probing(seccomp, calls), newId()]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trim().split("\n");
}

/** The same in a container of runc's. */
function answersOfRunc(seccomp: object, calls: readonly string[]): string[] {
  const root = join(directory(), "runc");
  mkdirSync(root, { recursive: true });
  const args = ["--root", root, "run", "--bundle", probing(seccomp, calls), newId()];
  const { status, stdout, stderr } = spawnSync("runc", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trim().split("\n");
}

const allowingBut = (entries: object[], further: object = {}) => ({
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: entries,
  ...further,
});

describe.skipIf(missing !== null)(`system calls under a filter${missing === null ? "" : ` (${missing})`}`, () => {
  const denied = [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }];

  test("a list of denials kills the calls of ABIs that it does not name: with x32's bit, and by int 0x80", () => {
    const calls = ["x86_64:83:0", "x86_64:39", "x32:83:0", "x32:39", "i386:39:0", "i386:20"];
    expect(answers(allowingBut(denied), calls)).toEqual([
      "errno 28",
      "ok",
      ...["signal 31", "signal 31", "signal 31", "signal 31"],
    ]);
  });

  test("the machine's own ABI is filtered where only another is named, and both have the denial", () => {
    const calls = [`x86_64:${MKDIR.x86_64}:0`, "x86_64:39", `i386:${MKDIR.i386}:0`, "i386:20", "x32:39"];
    expect(answers(allowingBut(denied, { architectures: ["SCMP_ARCH_X86"] }), calls)).toEqual([
      ...["errno 28", "ok", "errno 28", "ok"],
      "signal 31",
    ]);
  });

  test("x32 listed: its calls have the denial, too", () => {
    const profile = allowingBut(denied, { architectures: ["SCMP_ARCH_X32"] });
    expect(answers(profile, [`x32:${MKDIR.x32}:0`, `x86_64:${MKDIR.x86_64}:0`, "i386:20"])).toEqual([
      ...["errno 28", "errno 28"],
      "signal 31",
    ]);
  });

  test("a 32-bit program's socket, denied: directly and by socketcall", () => {
    const profile = allowingBut([{ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97 }], {
      architectures: ["SCMP_ARCH_X86"],
    });
    const socket = (abi: "x86_64" | "i386") => `${abi}:${SOCKET[abi]}:${AF_INET},1,0`;
    // 1 is SYS_SOCKET, 2 SYS_BIND; what they would point to is not there.
    const calls = [
      socket("x86_64"),
      socket("i386"),
      `i386:${SOCKET.multiplexed}:1,0`,
      `i386:${SOCKET.multiplexed}:2,0`,
    ];
    expect(answers(profile, calls)).toEqual(["errno 97", "errno 97", "errno 97", "errno 14"]);
  });

  test("one denied family of sockets leaves the others; by socketcall, where no filter sees the family, all are denied", () => {
    const args = [{ index: 0, value: AF_NETLINK, op: "SCMP_CMP_EQ" }];
    const profile = allowingBut([{ names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97, args }], {
      architectures: ["SCMP_ARCH_X86"],
    });
    const calls = [
      ...[`x86_64:${SOCKET.x86_64}:${AF_NETLINK},3,0`, `x86_64:${SOCKET.x86_64}:${AF_INET},1,0`],
      ...[`i386:${SOCKET.i386}:${AF_NETLINK},3,0`, `i386:${SOCKET.i386}:${AF_INET},1,0`],
      ...[`i386:${SOCKET.multiplexed}:1,0`, `i386:${SOCKET.multiplexed}:${AF_NETLINK},0`],
    ];
    expect(answers(profile, calls)).toEqual(["errno 97", "ok", "errno 97", "ok", "errno 97", "errno 14"]);
  });

  test("ipc is denied with what it multiplexes, and what is not named stays", () => {
    const names = ["semget", "shmget"];
    const profile = allowingBut([{ names, action: "SCMP_ACT_ERRNO", errnoRet: 1 }], {
      architectures: ["SCMP_ARCH_X86"],
    });
    // 2 is SEMGET, 23 SHMGET, 13 MSGGET: EINVAL and ENOENT come from the kernel
    const [semget, msgget, shmget] = [2, 13, 23].map((number) => `i386:117:${number},99,0,0`) as [
      string,
      string,
      string,
    ];
    expect(answers(profile, [semget, shmget, msgget, "x86_64:64:99,0,0"])).toEqual([
      ...["errno 1", "errno 1"],
      "errno 2",
      "errno 1",
    ]);
  });

  test.each([
    ["SCMP_ACT_TRACE", "errno 38"], // nobody traces
    ["SCMP_ACT_LOG", "errno 14"],
    ["SCMP_ACT_ALLOW", "errno 14"],
    ["SCMP_ACT_TRAP", "signal 31"],
    ["SCMP_ACT_KILL", "signal 31"],
    ["SCMP_ACT_KILL_THREAD", "signal 31"],
    ["SCMP_ACT_KILL_PROCESS", "signal 31"],
  ])("%s as a rule: %s", (action, answer) => {
    const profile = { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 1, syscalls: [] as object[] };
    const all = [{ index: 0, value: 0, op: "SCMP_CMP_GE" }];
    profile.syscalls = [{ names: ["mkdir"], action, args: all }];
    // Everything else is allowed, or python could not start.
    const allowed = { ...profile, defaultAction: action === "SCMP_ACT_ALLOW" ? "SCMP_ACT_LOG" : "SCMP_ACT_ALLOW" };
    delete (allowed as { defaultErrnoRet?: number }).defaultErrnoRet;
    expect(answers(allowed, [`x86_64:${MKDIR.x86_64}:0`, "x86_64:39"])).toEqual([answer, "ok"]);
  });

  /** Whatever python needs, so that a profile may have another default. */
  const needed = () => {
    const { syscalls = [] } = JSON.parse(readFileSync(DOCKER, "utf8")).linux.seccomp;
    const names = (syscalls as { names: string[]; action: string; args?: object[] }[])
      .filter(({ action, args }) => action === "SCMP_ACT_ALLOW" && args === undefined)
      .flatMap((entry) => entry.names)
      .filter((name) => !name.startsWith("mkdir"));
    return { names: [...names, "clone", "clone3"], action: "SCMP_ACT_ALLOW" };
  };

  test.for([
    ["SCMP_ACT_TRACE", "errno 38"],
    ["SCMP_ACT_LOG", "errno 14"],
    ["SCMP_ACT_TRAP", "signal 31"],
    ["SCMP_ACT_KILL", "signal 31"],
    ["SCMP_ACT_KILL_PROCESS", "signal 31"],
  ])("%s as the default: %s", ([defaultAction, answer], { skip }) => {
    skip(!existsSync(DOCKER), `needs ${DOCKER}`);
    const calls = [`x86_64:${MKDIR.x86_64}:0`, "x86_64:39"];
    expect(answers({ defaultAction, syscalls: [needed()] }, calls)).toEqual([answer, "ok"]);
  });

  const eq = (value: number, index = 0) => [{ index, value, op: "SCMP_CMP_EQ" }];
  const ge = (value: number, index = 0) => [{ index, value, op: "SCMP_CMP_GE" }];
  const names = ["getpriority"];
  const errno = (errnoRet: number, args?: object[]) => ({
    names,
    action: "SCMP_ACT_ERRNO",
    errnoRet,
    ...(args && { args }),
  });
  const allow = (args?: object[]) => ({ names, action: "SCMP_ACT_LOG", ...(args && { args }) });

  test.for<[string, object[]]>([
    ["a denial with a condition, then a permission without", [errno(11, eq(1)), allow()]],
    ["a permission without a condition, then a denial with one", [allow(), errno(11, eq(1))]],
    ["a denial without a condition, then a permission with one", [errno(11), allow(eq(1))]],
    ["a permission with a condition, then a denial without", [allow(eq(1)), errno(11)]],
    ["two overlapping conditions", [errno(11, ge(1)), errno(12, eq(2))]],
    ["the same, the other way round", [errno(12, eq(2)), errno(11, ge(1))]],
    ["two conditions on one argument, which are alternatives", [errno(11, [...eq(0), ...eq(2)])]],
    ["the same denial twice", [errno(11, eq(1)), errno(11, eq(1))]],
    ["two errnos without a condition: the first", [errno(11), errno(12)]],
  ])("several entries for one call, as runc has it: %s", ([, entries], { skip }) => {
    skip(!hasProgram("runc"), "needs runc");
    const calls = [0, 1, 2, 7].map((which) => `x86_64:${GETPRIORITY}:${which},0`);
    const theirs = answersOfRunc(allowingBut(entries), calls);
    expect(answers(allowingBut(entries), calls)).toEqual(theirs);
  });

  test.each<[string, object[]]>([
    ["conditions on two arguments, and on one of them", [errno(11, [...eq(1), ...eq(0, 1)]), errno(12, eq(1))]],
    ["two errnos for one condition", [errno(11, eq(1)), errno(12, eq(1))]],
  ])("entries that contradict each other are refused, as by runc: %s", (_, entries) => {
    const { code, stderr } = tsrunc(["run", "--bundle", probing(allowingBut(entries), []), newId()]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/\/linux\/seccomp: .*syscalls\/1 contradicts .* getpriority/),
    });
  });
});
