/** Writes the launcher: `build.ts <file> [x86_64|aarch64]`, for the machine that it runs on if none is named. */
import { chmodSync, writeFileSync } from "node:fs";
import { SYSCALL_NUMBERS } from "../sys/syscall-numbers.ts";
import { Arm64Assembler } from "./aarch64.ts";
import type { Assembler } from "./assembler.ts";
import { executable, layOut, type Machine } from "./elf.ts";
import { data, program } from "./program.ts";
import { X86Assembler } from "./x86-64.ts";

const assemblers: Record<Machine, () => Assembler> = {
  x86_64: () => new X86Assembler(SYSCALL_NUMBERS.x86_64),
  aarch64: () => new Arm64Assembler(SYSCALL_NUMBERS.aarch64),
};

/** The launcher's file for an architecture. */
export function launcher(machine: Machine): Uint8Array {
  const assembler = assemblers[machine]();
  program(assembler);
  const laidOut = layOut(data);
  return executable(machine, assembler.assemble(laidOut.addresses), laidOut);
}

if (import.meta.main) {
  const [file, machine = process.arch === "arm64" ? "aarch64" : "x86_64"] = process.argv.slice(2);
  if (file === undefined || !Object.hasOwn(assemblers, machine)) {
    process.stderr.write("usage: build.ts <file> [x86_64|aarch64]\n");
    process.exit(2);
  }
  writeFileSync(file, launcher(machine as Machine));
  chmodSync(file, 0o755);
}
