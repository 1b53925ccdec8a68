/** A mutant as a runtime: `mutant.ts NAME RUNTIME ARGS…`, called by the script that `run.ts` writes. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Spec } from "../harness/spec.ts";
import { type Answer, type Mutant, mutants } from "./mutants.ts";

/** Global options of the suite's own calls that take a value. */
const WITH_VALUE = ["--root", "--log", "--log-format"];

const [name = "", runtime = "", ...given] = process.argv.slice(2);
const mutant: Mutant | undefined = mutants[name];
if (mutant === undefined) throw new Error(`no mutant is called ${name}`);

const at = commandIndex(given);
const globals = given.slice(0, at);
const args = given.slice(at);
const answer = mutant.pretends?.(args) ?? act(mutant);
writeAll(1, answer.stdout);
writeAll(2, answer.stderr);
process.exit(answer.code);

function act({ before, config, args: changeArgs, answer: changeAnswer }: Mutant): Answer {
  before?.(args);
  const changed = changeArgs?.(args) ?? args;
  const restore = config === undefined ? () => {} : changeConfig(config);
  try {
    const call = [...globals, ...changed];
    if (changeAnswer === undefined) {
      // All descriptors as they are: a container may hold them for long.
      const { status, signal } = spawnSync(runtime, call, { stdio: passedStreams() });
      return { code: status ?? (signal === null ? 1 : 137), stdout: "", stderr: "" };
    }
    return changeAnswer(recorded(call), changed);
  } finally {
    restore();
  }
}

/** Runs the runtime with its output in files: a container that outlives the command would keep a pipe open. */
function recorded(call: readonly string[]): Answer {
  const directory = mkdtempSync(join(tmpdir(), "mutant-"));
  const [out, err] = [join(directory, "out"), join(directory, "err")] as const;
  try {
    const { status } = spawnSync(runtime, call, {
      stdio: [0, openSync(out, "w"), openSync(err, "w"), ...passedStreams().slice(3)],
    });
    return { code: status ?? 1, stdout: readFileSync(out, "utf8"), stderr: readFileSync(err, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Descriptors 0 to 9, those that are open. */
function passedStreams(): (number | "ignore")[] {
  return [...Array(10).keys()].map((fd) => (fd <= 2 || existsSync(`/proc/self/fd/${fd}`) ? fd : "ignore"));
}

/** Changes the bundle's configuration for as long as the command runs. @returns what puts it back */
function changeConfig(change: (spec: Spec) => void): () => void {
  if (args[0] !== "create" && args[0] !== "run") return () => {};
  const file = join(bundle(), "config.json");
  let text: string;
  let spec: Spec;
  try {
    text = readFileSync(file, "utf8");
    spec = JSON.parse(text);
  } catch {
    return () => {}; // For the runtime to refuse.
  }
  change(spec);
  writeFileSync(file, JSON.stringify(spec));
  return () => writeFileSync(file, text);
}

function bundle(): string {
  const index = args.findIndex((each) => each === "--bundle" || each === "-b");
  return resolve(index < 0 ? "." : (args[index + 1] ?? "."));
}

function commandIndex(all: readonly string[]): number {
  let index = 0;
  while (all[index]?.startsWith("-")) index += WITH_VALUE.includes(all[index] ?? "") ? 2 : 1;
  return index;
}

function writeAll(fd: number, text: string): void {
  if (text !== "") writeFileSync(fd, text);
}
