/** What differs between the architectures, for both of them on either: against libseccomp's own tables, and fcntl.h. */
import { describe, expect, it } from "vitest";
import { SYSCALL_NUMBERS } from "../../src/engine/syscall-numbers.ts";
import { ARCHITECTURES, NATIVE } from "../../src/seccomp/names.ts";
import { openFlags } from "../../src/sys/fd.ts";
import { findLibseccomp, libraryDirectories, SeccompFilter } from "../../src/sys/libseccomp.ts";
import { KERNEL, nameIn } from "../../src/sys/prototypes.ts";
import { NUMBERS_BY_CPU } from "../../src/sys/syscall-numbers.ts";

const library = findLibseccomp();
const ALLOW = 0x7fff0000;

const tables = [
  ["the calls on x86_64", "x64", NUMBERS_BY_CPU.x64],
  ["the calls on aarch64", "arm64", NUMBERS_BY_CPU.arm64],
  ["the machine code's on x86_64", "x64", SYSCALL_NUMBERS.x86_64],
  ["the machine code's on aarch64", "arm64", SYSCALL_NUMBERS.aarch64],
] as const;

describe.skipIf(library === null)(`numbers of system calls (${library === null ? "needs libseccomp2" : ""})`, () => {
  it.each(tables)("%s are those that libseccomp knows", (_, cpu, numbers) => {
    using filter = new SeccompFilter(library?.path ?? "", ALLOW);
    const token = ARCHITECTURES[NATIVE[cpu]];
    const known = Object.keys(numbers).map((name) => [name, filter.resolveOn(token, name)] as const);
    expect(numbers).toEqual(Object.fromEntries(known));
  });
});

it.each(["x64", "arm64"] as const)("every call that is made by its number has one on %s", (cpu) => {
  expect(Object.keys(NUMBERS_BY_CPU[cpu]).sort()).toEqual(KERNEL.map(nameIn).sort());
});

// <asm/fcntl.h> of arm64 exchanges O_DIRECTORY and O_NOFOLLOW with O_DIRECT and O_LARGEFILE.
it.each([
  ["x64", 0o200000, 0o400000, 0o20200000],
  ["arm64", 0o40000, 0o100000, 0o20040000],
])("flags of open(2) on %s", (cpu, DIRECTORY, NOFOLLOW, TMPFILE) => {
  expect(openFlags(cpu)).toMatchObject({ DIRECTORY, NOFOLLOW, TMPFILE, CLOEXEC: 0o2000000, PATH: 0o10000000 });
});

it.each([
  ["x64", "aarch64"],
  ["arm64", "x86_64"],
])("a library for %s is not looked for among those of %s", (cpu, other) => {
  expect(libraryDirectories(cpu)[0]).toContain("-linux-gnu");
  expect(libraryDirectories(cpu).join()).not.toContain(other);
});
