/**
 * Writes what `make build` consists of; launchers are for the machine that their engine is for:
 *
 * - `build.ts engine <file> <compiled file>`: one that starts faster, see `align.ts`;
 * - `build.ts snapshot <file> <engine>`: one that is started already, see `snapshot.ts`; koffi.node must be beside the engine. Says what a
 *   processor must have for it;
 * - `build.ts launcher <file> <engine>`, for an engine of either kind;
 * - `build.ts plain-launcher <file> <snapshot>`, for the engine that starts anew out of a snapshot's file, see `loader.ts`.
 */
import { chmodSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { SINGLE_THREAD, VARIABLES } from "../sys/executable.ts";
import { Arm64Assembler } from "./aarch64.ts";
import { alignToHugePages } from "./align.ts";
import type { Assembler } from "./assembler.ts";
import { executable, layOut, type Machine, type MemoryNeeds, machineOf, memoryNeeds } from "./elf.ts";
import type { Launched } from "./launcher.ts";
import * as launcher from "./launcher.ts";
import { HIDDEN_FROM_GLIBC, HIDING_VARIABLES, processorFeatures, processorNeeded } from "./processor.ts";
import { makeRehearsal } from "./rehearsal.ts";
import { isSnapshot, takeSnapshot } from "./snapshot.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";
import { X86Assembler } from "./x86-64.ts";

const assemblers: Record<Machine, () => Assembler> = {
  x86_64: () => new X86Assembler(SYSCALL_NUMBERS.x86_64),
  aarch64: () => new Arm64Assembler(SYSCALL_NUMBERS.aarch64),
};

/** The file `tsrunc` for an architecture. @param launched what it launches @param needs the engine's */
export function buildLauncher(machine: Machine, launched: Launched = "engine", needs?: MemoryNeeds): Uint8Array {
  const assembler = assemblers[machine]();
  launcher.program(assembler, launched, needs);
  const data = layOut(machine, launcher.data(launched));
  return executable(machine, assembler.assemble(data.addresses), data);
}

/** What the rehearsal says, as one who may not make containers, is in its log. */
function buildSnapshot(engine: string): Uint8Array {
  const rehearsal = makeRehearsal(resolve("build/rehearsal"));
  const log = join(rehearsal, "log");
  const variables = {
    // What libc shares with the kernel would have to be registered anew. It puts a copy of this variable, the first, somewhere else, and
    // the rehearsal finds the texts from the last one back.
    GLIBC_TUNABLES: `glibc.pthread.rseq=0:${HIDDEN_FROM_GLIBC}`,
    ...HIDING_VARIABLES,
    // What it binds later it would bind with what it knows of the builder's processor: how much there is to save of its registers.
    LD_BIND_NOW: "1",
    // Else 5 GiB of addresses, which are mapped at once: too much where memory is promised to one process only.
    BUN_JSC_structureHeapSizeInKB: "65536",
    MIMALLOC_ARENA_RESERVE: "65536",
    ...SINGLE_THREAD,
    [VARIABLES.stage]: "snapshot",
    [VARIABLES.rehearsal]: rehearsal,
    // In the rehearsal: any program where nobody else can write.
    [VARIABLES.engine]: "/bin/sh",
  };
  try {
    return takeSnapshot({
      path: resolve(engine),
      environment: Object.entries(variables).map(([name, value]) => `${name}=${value}`),
      output: openSync(log, "w"),
    });
  } catch (error) {
    throw new Error(`${(error as Error).message} (see ${log})`);
  }
}

function buildLauncherFor(engine: Buffer, launched: Launched): Uint8Array {
  const view = new DataView(engine.buffer, engine.byteOffset, engine.byteLength);
  return buildLauncher(machineOf(view), launched, memoryNeeds(view));
}

/** What there is to build, each from a file. */
const builds: Readonly<Record<string, (from: string) => Uint8Array>> = {
  launcher: (path) => {
    const engine = readFileSync(path);
    return buildLauncherFor(engine, isSnapshot(engine) ? "snapshot" : "engine");
  },
  "plain-launcher": (path) => buildLauncherFor(readFileSync(path), "plain"),
  engine: (compiled) => alignToHugePages(readFileSync(compiled)),
  snapshot: buildSnapshot,
};

if (import.meta.main) {
  const [what = "", file, from = ""] = process.argv.slice(2);
  const build = Object.hasOwn(builds, what) ? builds[what] : undefined;
  if (file === undefined || build === undefined) {
    process.stderr.write("usage: build.ts launcher|plain-launcher|engine|snapshot <file> [<from>]\n");
    process.exit(2);
  }
  try {
    const built = build(from);
    // Anew and at once: what is written over, or in parts, is cached in smaller pages.
    rmSync(file, { force: true });
    writeFileSync(file, built);
    chmodSync(file, 0o755);
    if (what === "snapshot") process.stdout.write(`${processorNeeded(processorFeatures())}\n`);
  } catch (error) {
    process.stderr.write(`build.ts ${what}: ${(error as Error).message}\n`);
    process.exit(1);
  }
}
