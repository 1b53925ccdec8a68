/** Snapshots of programs of a few instructions: no root needed, but processes that may be traced. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Data } from "../../src/engine/elf.ts";
import { executable, layOut } from "../../src/engine/elf.ts";
import { programIn } from "../../src/engine/loader.ts";
import { type Resumption, resumer } from "../../src/engine/resume.ts";
import { isSnapshot, takeSnapshot } from "../../src/engine/snapshot.ts";
import { SYSCALL_NUMBERS } from "../../src/engine/syscall-numbers.ts";
import { parseMappings } from "../../src/engine/tracee.ts";
import { X86Assembler } from "../../src/engine/x86-64.ts";
import { whyNotTraced } from "../support/tracing.ts";

const numbers = SYSCALL_NUMBERS.x86_64;
const reason = whyNotTraced();

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-snapshot-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(file: Uint8Array, args: readonly string[] = []) {
  const path = join(directory, "program");
  rmSync(path, { force: true });
  writeFileSync(path, file, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync(path, args, { encoding: "utf8" });
  return { status, stdout, stderr };
}

function program(data: Data, write: (machine: X86Assembler) => void): Uint8Array {
  const machine = new X86Assembler(numbers);
  write(machine);
  const laidOut = layOut("x86_64", data);
  return executable("x86_64", machine.assemble(laidOut.addresses), laidOut);
}

describe.skipIf(reason !== null)(`a snapshot (${reason ?? ""})`, () => {
  const [SIGSTOP, PAGE] = [19, 4096];
  const nothing = openSync("/dev/null", "r+");
  const started = (path: string) => ({ path, environment: ["A=1"], output: nothing });

  /**
   * Computes before it stops, with a page of memory of its own; then says what it has computed, and ends with the number of
   * arguments.
   */
  const counting = program({ text: "unset\n", heapEnd: 8, page: 8 }, (machine) => {
    machine.syscall("mmap", 0, 16 * PAGE, 3, 0x22, -1, 0);
    machine.copy("c", "result");
    machine.set("a", 0x0a74_6573); // "set" and a newline
    machine.store("a", "c", 5 * PAGE, 8);
    machine.syscall("getpid");
    machine.copy("b", "result");
    machine.set("d", { address: "heapEnd" });
    machine.syscall("kill", "b", SIGSTOP, "d");
    machine.copy("b", "result");
    machine.load("e", "b", 0, 8);
    machine.copy("d", "c");
    machine.add("d", 5 * PAGE);
    machine.syscall("write", 1, "d", 4);
    // What was never written to is there, too.
    machine.store("e", "c", 15 * PAGE, 8);
    machine.load("a", "c", 15 * PAGE, 8);
    machine.syscall("exit_group", "a");
  });

  it("goes on with its memory, and with the arguments of the process that executes it", () => {
    const path = join(directory, "counting");
    writeFileSync(path, counting, { mode: 0o755 });
    const snapshot = takeSnapshot(started(path));
    expect(run(snapshot)).toEqual({ status: 1, stdout: "set\n", stderr: "" });
    expect(run(snapshot, ["two", "three"])).toMatchObject({ status: 3, stdout: "set\n" });
  });

  it("is not made of a program that ends instead", () => {
    const path = join(directory, "ending");
    writeFileSync(
      path,
      program({ none: 0 }, (machine) => machine.syscall("exit_group", 3)),
      { mode: 0o755 },
    );
    expect(() => takeSnapshot(started(path))).toThrow("the program has ended");
  });

  it("starts nothing anew of a program without a dynamic linker", () => {
    expect(programIn(counting)).toBeNull();
  });
});

describe.skipIf(process.arch !== "x64")("what a snapshot begins with", () => {
  const BASE = 0x400000;
  const exit = (code: number) => [numbers.exit_group, code];
  const resume = (more: Partial<Resumption>) =>
    resumer(BASE, {
      calls: [],
      protections: [],
      secrets: { canary: [], guard: [], mangled: [] },
      ignored: [],
      heapEnd: 0n,
      registers: {},
      features: new Set(),
      plain: null,
      ...more,
    });

  it("makes its system calls in order", () => {
    expect(run(resume({ calls: [[numbers.getpid], exit(7), exit(8)] })).status).toBe(7);
  });

  it("says so when memory cannot be mapped", () => {
    const badMapping = [numbers.mmap, 0, 0, 0, 0, -1, 0];
    expect(run(resume({ calls: [badMapping, exit(0)] }))).toEqual({
      status: 1,
      stdout: "",
      stderr: "tsrunc: the engine cannot be mapped into memory: is there a limit (ulimit -v, vm.overcommit_memory)?\n",
    });
  });

  const filtered = join(import.meta.dirname, "../support/refuse-syscall.py");
  const hasPython = spawnSync("python3", ["-c", ""]).status === 0;
  it.runIf(hasPython).each([
    ["mprotect", numbers.mprotect, 1],
    ["arch_prctl", numbers.arch_prctl, 38],
  ] as const)("names %s, which a filter of system calls refuses, and does not blame memory", (name, number, errno) => {
    const path = join(directory, "filtered");
    writeFileSync(path, resume({ calls: [[number], exit(0)] }), { mode: 0o755 });
    const { status, stderr } = spawnSync("python3", [filtered, `${number}`, `${errno}`, path], { encoding: "utf8" });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `tsrunc: the engine cannot be mapped into memory: a filter of system calls (seccomp) refuses ${name}\n`,
    });
  });

  it("takes the processor that it was made on", () => {
    const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
    expect(run(resume({ calls: [exit(7)], features: new Set(flags.trim().split(" ")) })).status).toBe(7);
  });

  // AMD's processors have no half-precision, and few have AVX-512 at all.
  const features = new Set(["avx512f", "avx512_fp16"]);
  const lacksSome = !/^flags.*\bavx512_fp16\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));

  it.runIf(lacksSome)(
    "gives a processor that lacks what the builder's has the plain launcher, and all that it was given",
    () => {
      const path = join(directory, "other");
      writeFileSync(`${path}-engine`, resume({ calls: [exit(0)], features }), { mode: 0o755 });
      writeFileSync(`${path}-plain`, '#!/bin/sh\necho "$A $# $2 $B"\nexit 5\n', { mode: 0o755 });
      const env = { A: "a", _TSRUNC_STAGE: "sealed", _TSRUNC_ENGINE: `${path}-engine`, B: "b" };
      const { status, stdout } = spawnSync(`${path}-engine`, ["one", "two"], { env, encoding: "utf8" });
      expect({ status, stdout }).toEqual({ status: 5, stdout: "a 2 two b\n" });
    },
  );

  const flags = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.trim().split(" ") ?? [];
  it.each(["avx512f", "avx512_fp16", "avx512_bf16"].filter((name) => !flags.includes(name)))(
    "asks a processor without %s for it",
    (name) => {
      expect(run(resume({ calls: [exit(0)], features: new Set([...flags, "avx512f", name]) })).stderr).toContain(
        "is not beside it",
      );
    },
  );

  // No processor has all of this: transactions had gone from most before the others came, and AMD's never had them.
  it("asks for nothing that the builder's libraries were kept from choosing by", () => {
    const hidden = ["rtm", "erms", "fsrm", "xsavec", "sha_ni", "adx"];
    const widened = flags.includes("avx512f") ? [] : ["gfni", "vaes", "vpclmulqdq"];
    const { status } = run(resume({ calls: [exit(7)], features: new Set([...flags, ...hidden, ...widened]) }));
    expect(status).toBe(7);
  });

  it.runIf(lacksSome)("says so where there is none", () => {
    const { status, stderr } = run(resume({ calls: [exit(0)], features }));
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("tsrunc-plain, is not beside it"),
    });
  });
});

describe("isSnapshot", () => {
  it("is true of a program that needs no dynamic linker", () => {
    expect(isSnapshot(program({ none: 0 }, (machine) => machine.syscall("exit_group", 0)))).toBe(true);
  });
});

describe("parseMappings", () => {
  it("reads addresses, permissions, offset and path", () => {
    const text = [
      "00200000-01a39000 r--p 00000000 fe:00 5316625                            /usr/lib/a b",
      "7ffd3938d000-7ffd393ae000 rw-p 00000000 00:00 0                          [stack]",
      "2aab00000000-2aac00000000 ---p 00001000 00:00 0 ",
    ].join("\n");
    expect(parseMappings(text)).toEqual([
      { start: 0x200000, end: 0x1a39000, permissions: "r--p", offset: 0, path: "/usr/lib/a b" },
      { start: 0x7ffd3938d000, end: 0x7ffd393ae000, permissions: "rw-p", offset: 0, path: "[stack]" },
      { start: 0x2aab00000000, end: 0x2aac00000000, permissions: "---p", offset: 0x1000, path: "" },
    ]);
  });
});
