/**
 * Writes the launcher or the addon, `build.ts launcher|addon <file> [x86_64|aarch64]`, for this machine if none is named; or an
 * engine that starts faster, see `align.ts` and `libraries.ts`: `build.ts engine <file> <compiled file>`.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { SYSCALL_NUMBERS } from "../sys/syscall-numbers.ts";
import { Arm64Assembler } from "./aarch64.ts";
import * as addon from "./addon.ts";
import { alignToHugePages } from "./align.ts";
import type { Assembler } from "./assembler.ts";
import { executable, layOut, type Machine, sharedObject } from "./elf.ts";
import * as launcher from "./launcher.ts";
import { mergeLibraries } from "./libraries.ts";
import { X86Assembler } from "./x86-64.ts";

const assemblers: Record<Machine, () => Assembler> = {
  x86_64: () => new X86Assembler(SYSCALL_NUMBERS.x86_64),
  aarch64: () => new Arm64Assembler(SYSCALL_NUMBERS.aarch64),
};

const files = { launcher: buildLauncher, addon: buildAddon };

/** The file `tsrunc` for an architecture. */
export function buildLauncher(machine: Machine): Uint8Array {
  const assembler = assemblers[machine]();
  const brought = buildAddon(machine);
  launcher.program(assembler, brought.length);
  const data = layOut(machine, launcher.data(brought));
  return executable(machine, assembler.assemble(data.addresses), data);
}

/** The file `syscall.node` for an architecture. */
export function buildAddon(machine: Machine): Uint8Array {
  const assembler = assemblers[machine]();
  addon.program(assembler);
  const data = layOut(machine, addon.data);
  return sharedObject(machine, assembler.assemble(data.addresses), data, addon.symbols(assembler));
}

/** The compiled program as it is installed. */
function buildEngine(compiled: Uint8Array): Uint8Array {
  mergeLibraries(compiled);
  return alignToHugePages(compiled);
}

function build(what: string, from: string | undefined): Uint8Array | null {
  if (what === "engine") return from === undefined ? null : buildEngine(readFileSync(from));
  const machine = from ?? (process.arch === "arm64" ? "aarch64" : "x86_64");
  if (!Object.hasOwn(files, what) || !Object.hasOwn(assemblers, machine)) return null;
  return files[what as keyof typeof files](machine as Machine);
}

if (import.meta.main) {
  const [what = "", file, from] = process.argv.slice(2);
  const built = file === undefined ? null : build(what, from);
  if (file === undefined || built === null) {
    process.stderr.write(
      "usage: build.ts launcher|addon <file> [x86_64|aarch64], build.ts engine <file> <compiled file>\n",
    );
    process.exit(2);
  }
  // Anew and at once: what is written over, or in parts, is cached in smaller pages.
  rmSync(file, { force: true });
  writeFileSync(file, built);
  if (what !== "addon") chmodSync(file, 0o755);
}
