/** What libc keeps secret in a process must be another in each: an engine that is a snapshot would bring it along from its file. */
import { closeSync, openSync, readSync } from "node:fs";
import { expect, test } from "vitest";
import { CANARY_AT, GUARD_AT } from "../../src/engine/secrets.ts";
import { check } from "../../src/sys/error.ts";
import { syscall } from "../../src/sys/ffi.ts";
import { whyNotTraced } from "../support/tracing.ts";
import { cannotRun, makeBundle, newId, state, succeed, useContainers } from "./harness.ts";

useContainers();

const reason = cannotRun() ?? whyNotTraced();

/** The canary and the pointer guard of a process's first thread. */
function secretsOf(pid: number): { canary: bigint; guard: bigint } {
  const [SEIZE, INTERRUPT, GETREGS, DETACH] = [0x4206, 0x4207, 12, 17];
  const FS_BASE = 21; // of the words of struct user_regs_struct
  const request = (number: number, data: BigUint64Array | null = null) =>
    check(syscall("ptrace", number, pid, null, data), `ptrace ${number}`);
  const registers = new BigUint64Array(27);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const words = new BigUint64Array(2);
  try {
    request(SEIZE);
    request(INTERRUPT);
    check(syscall("wait4", pid, new Int32Array(1), 0x40000000, null), "wait4"); // __WALL
    request(GETREGS, registers);
    const thread = Number(registers[FS_BASE]);
    expect(GUARD_AT).toBe(CANARY_AT + 8);
    readSync(memory, words, 0, words.byteLength, thread + CANARY_AT);
    request(DETACH);
  } finally {
    closeSync(memory);
  }
  return { canary: words[0] as bigint, guard: words[1] as bigint };
}

test.skipIf(reason !== null)(`no two starts have the same canary and pointer guard (${reason ?? ""})`, () => {
  const found = [1, 2, 3].map(() => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    return secretsOf(state(id).pid);
  });
  const canaries = found.map(({ canary }) => canary);
  const guards = found.map(({ guard }) => guard);
  expect(new Set([...canaries, ...guards]).size).toBe(6);
  // Of the canary's eight bytes the lowest is 0.
  expect(canaries.map((canary) => canary & 0xffn)).toEqual([0n, 0n, 0n]);
});
