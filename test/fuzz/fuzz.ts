/**
 * Feeds mutated configurations, processes, names and command lines to the parsers and to the executable.
 *
 * `make fuzz FUZZ_COUNT=20000 FUZZ_RUNS=1000 FUZZ_SEED=1`: how many for the parsers (every twentieth of these for the executable, too),
 * how many containers are run, and what decides all mutations. What fails is written to `build/fuzz`; put it into `corpus/` when
 * it is mended: that is tried first, each time. `FUZZ_INPUTS=FILE` tries those of a JSON list, or one, and nothing else; `TSRUNC=` names
 * another executable.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { loadProcess } from "../../src/config/load-process.ts";
import { loadResources } from "../../src/config/load-resources.ts";
import { monotonicTime } from "../../src/sys/clock.ts";
import { baseConfig } from "../support/config.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { everyChange, everyWord, mutateDocument, mutateText, Random } from "./mutate.ts";
import { type ParserName, parsers } from "./parsers.ts";
import { HARMLESS_PARTS, seedConfigs, wideConfig } from "./seeds.ts";

const COUNT = Number(process.env.FUZZ_COUNT ?? 20_000);
const RUNS = Number(process.env.FUZZ_RUNS ?? 1_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Nothing takes so long, milliseconds. */
const LIMIT = Number(process.env.FUZZ_LIMIT ?? 20_000);
/** Where each input and its number is noted before it is tried, for whoever watches. */
const NOTE = process.env.FUZZ_NOTE;
/** How many inputs have been tried before: the first of them took the fuzzer down that this one goes on for. */
const TRIED = Number(process.env.FUZZ_TRIED ?? 0);

/** One input, as the corpus keeps it: `config` and `process` are the text of a file, `args` a command line, others a text. */
type Input = { target: "args"; args: string[] } | { target: Exclude<Target, "args">; text: string };
type Target = "config" | "process" | "resources" | "run" | "args" | ParserName;

const commands = [
  ["run", "--bundle", ".", "--pid-file", "p", "--explain", "fuzz"],
  ["exec", "--user", "1:2", "--env", "A=b", "--cap", "CAP_CHOWN", "fuzz", "true"],
  ["kill", "--all", "fuzz", "SIGTERM"],
  ["state", "fuzz"],
  ["list", "--format", "json", "--quiet"],
  ["delete", "--force", "fuzz"],
  ["--root", "x", "--log-format", "json", "--log", "l", "features"],
  ["spec", "--bundle", "x"],
  ["mounts", "add", "fuzz", "x"],
  ["completion", "bash"],
];

const scratch = process.env.FUZZ_SCRATCH ?? mkdtempSync(join(tmpdir(), "tsrunc-fuzz-"));
const state = join(scratch, "state");
const runtime = resolve(process.env.TSRUNC ?? "dist/tsrunc");
const failures: string[] = [];
/** How often each fault may be shown: one fault has thousands of inputs. */
const MOST_OF_A_KIND = 3;
const kinds = new Map<string, number>();
const configs = seedConfigs() as readonly ReturnType<typeof baseConfig>[];

const began = monotonicTime();
let inputs = 0;

main();

function main(): void {
  const only = process.env.FUZZ_INPUTS;
  if (only === undefined) console.log(`fuzz: seed ${SEED}, ${COUNT} inputs, ${RUNS} containers`);
  // A container in a user namespace has to get through here.
  chmodSync(scratch, 0o711);
  makeRootfs(join(scratch, "rootfs"));
  mkdirSync(state);
  try {
    if (only === undefined) tryAll();
    else for (const input of [JSON.parse(readFileSync(only, "utf8"))].flat()) tryInput(input, true);
    checkLeftovers();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`fuzz: ${failures.length === 0 ? "nothing failed" : `${failures.length} failed, see build/fuzz`}`);
  process.exit(failures.length === 0 ? 0 : 1);
}

function tryAll(): void {
  const corpus = join(import.meta.dirname, "corpus");
  for (const name of readdirSync(corpus).sort()) tryInput(JSON.parse(readFileSync(join(corpus, name), "utf8")), true);
  tryEverything();
  const random = new Random(SEED);
  for (let index = 0; index < COUNT; index++) tryInput(randomInput(random, index), index % 20 === 0);
  for (let index = 0; index < RUNS; index++) tryInput({ target: "run", text: harmless(random) }, true);
}

/** One change at a time: each place of a configuration with each value, each word of a text. Chance alone would not come by most of them. */
function tryEverything(): void {
  let count = 0;
  for (const config of configs) {
    writeFileSync(join(scratch, "config.json"), JSON.stringify(config));
    // One that is refused hides from its mutations what comes after the refusal. An error ends the fuzzer.
    loadConfig(join(scratch, "config.json"));
  }
  for (const config of everyChange(wideConfig())) {
    tryInput({ target: "config", text: JSON.stringify(config) }, count++ % 1000 === 0);
  }
  for (const target of Object.keys(parsers) as ParserName[]) {
    for (const seed of parsers[target].seeds) {
      for (const text of everyWord(seed)) {
        tryInput({ target, text }, false);
        count++;
      }
    }
  }
  console.log(`fuzz: ${count} with one change each, ${Math.round((monotonicTime() - began) / 1000)} s`);
}

function randomInput(random: Random, index: number): Input {
  const text = (document: unknown) => {
    const json = JSON.stringify(mutateDocument(random, document));
    return random.below(10) === 0 ? mutateText(random, json) : json;
  };
  const kind = index % 6;
  const config = random.pick(configs);
  if (kind < 2) return { target: "config", text: text(config) };
  if (kind === 2) {
    return random.below(2) === 0
      ? { target: "process", text: text(config.process) }
      : { target: "resources", text: text(config.linux.resources ?? {}) };
  }
  if (kind < 5) {
    const target = random.pick(Object.keys(parsers) as ParserName[]);
    const seed = random.pick<string>(parsers[target].seeds);
    return {
      target,
      text: seed.startsWith("{") && random.below(2) === 0 ? text(JSON.parse(seed)) : mutateText(random, seed),
    };
  }
  const args = random.pick(commands).map((arg) => (random.below(3) === 0 ? mutateText(random, arg) : arg));
  // No argument has a NUL.
  return { target: "args", args: args.map((arg) => arg.replaceAll("\0", "")) };
}

/** A configuration that could start, and hurts nobody if it does: it runs `true` in this rootfs, with cgroups of its own. */
function harmless(random: Random): string {
  const config = baseConfig(["true"]);
  for (let parts = random.below(3); parts > 0; parts--) random.pick(HARMLESS_PARTS)(config);
  const mutated = mutateDocument(random, config) as typeof config;
  if (mutated.process !== null && typeof mutated.process === "object") mutated.process.args = ["true"];
  mutated.root = { path: "rootfs" };
  if (mutated.linux !== null && typeof mutated.linux === "object") {
    delete mutated.linux.cgroupsPath;
    // Mounts of the container would show on the host.
    delete mutated.linux.rootfsPropagation;
  }
  mutated.hooks = {};
  return JSON.stringify(mutated);
}

function tryInput(input: Input, executable: boolean): void {
  if (inputs++ < TRIED) return;
  if (NOTE !== undefined) writeFileSync(NOTE, JSON.stringify({ number: inputs, input }));
  const start = monotonicTime();
  try {
    const problem = input.target === "args" ? whenExecuted(input.args) : whenRead(input.target, input.text, executable);
    if (problem !== null) fail(input, problem);
  } catch (error) {
    if (isOurs(error)) return;
    fail(input, String((error as Error).stack));
  }
  if (monotonicTime() - start > LIMIT) fail(input, "took too long");
}

/** Whether an error is what the program says of bad input, and no fault of its own. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ![TypeError, RangeError, ReferenceError, SyntaxError].some((fault) => error instanceof fault);
}

function whenRead(target: Exclude<Target, "args">, text: string, executable: boolean): string | null {
  if (target in parsers) {
    parsers[target as ParserName].parse(text);
    return null;
  }
  const file = join(scratch, "config.json");
  writeFileSync(file, text);
  if (target === "run") return whenExecuted(["run", "--bundle", scratch, "fuzz"], text.includes('"seccomp"'));
  for (const command of executable ? commandsFor(target, file) : []) {
    const problem = whenExecuted(command);
    if (problem !== null) return problem;
  }
  if (target === "process") loadProcess(file);
  else if (target === "resources") loadResources(file);
  else loadConfig(file);
  return null;
}

/** The commands that read such a file. */
function commandsFor(target: Exclude<Target, "args">, file: string): string[][] {
  if (target === "process") return [["exec", "--process", file, "fuzz"]];
  if (target === "resources") return [["update", "--resources", file, "fuzz"]];
  return [
    ["validate", scratch],
    ["run", "--explain", "--bundle", scratch, "fuzz"],
  ];
}

/**
 * What is wrong with the way in which the executable ends; `null` when nothing is.
 * @param mayBeSilent whether the program of a container may have failed without a word, as a filter of system calls denies it that
 */
function whenExecuted(args: readonly string[], mayBeSilent = false): string | null {
  const options = { cwd: scratch, input: "", timeout: LIMIT, killSignal: "SIGKILL", encoding: "utf8" } as const;
  const { status, signal, stdout, stderr } = spawnSync(runtime, ["--root", state, ...args], options);
  const said = `${args.join(" ")}: ${stderr.slice(0, 2000)}`;
  if (signal !== null) return `ended by ${signal}: ${said}`;
  if (/^\s+at .*[(:]\d+/m.test(stderr) || /\b(Type|Range|Reference)Error\b|is not a function/.test(stderr))
    return `a stack trace, or an error of the engine: ${said}`;
  if (status !== 0 && !mayBeSilent && stderr === "" && stdout === "")
    return `exit code ${status} without a word: ${said}`;
  return null;
}

function checkLeftovers(): void {
  const leave = (what: string) => fail({ target: "run", text: "" }, `left behind: ${what}`);
  // Filters of system calls are kept on purpose.
  for (const name of readdirSync(state)) if (name !== "seccomp:filters") leave(`state of ${name}`);
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) if (line.includes(scratch)) leave(line);
  const { stdout } = spawnSync("find", ["/sys/fs/cgroup", "-maxdepth", "4", "-type", "d", "-name", "fuzz"], {
    encoding: "utf8",
  });
  if (stdout !== "") leave(stdout);
}

function fail(input: Input, why: string): void {
  // Where it comes from: the first lines of a stack trace, or the words without what the input has put into them.
  const kind = why
    .split("\n")
    .slice(0, 2)
    .join(" ")
    .replace(/"[^"]*"|\d+/g, "_")
    .slice(0, 200);
  const seen = (kinds.get(kind) ?? 0) + 1;
  kinds.set(kind, seen);
  if (seen > MOST_OF_A_KIND) return;
  mkdirSync("build/fuzz", { recursive: true });
  const name = `${input.target}-${failures.length}.json`;
  writeFileSync(join("build/fuzz", name), `${JSON.stringify(input)}\n`);
  failures.push(name);
  console.error(`fuzz: after ${Math.round((monotonicTime() - began) / 1000)} s: ${name}: ${why}`);
}
