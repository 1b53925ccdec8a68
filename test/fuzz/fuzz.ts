/**
 * Feeds mutated configurations, processes, names and command lines to the parsers and to the executable.
 *
 * `make fuzz FUZZ_COUNT=20000 FUZZ_RUNS=1000 FUZZ_SEED=1`: how many for the parsers (every twentieth of these for the executable, too),
 * how many containers are run, and what decides all mutations. What fails is written to `build/fuzz`; put it into `corpus/` when
 * it is mended: that is tried first, each time.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseCpuList } from "../../src/config/cpu-list.ts";
import { loadConfig } from "../../src/config/load.ts";
import { loadProcess } from "../../src/config/load-process.ts";
import { parseMountOptions } from "../../src/config/mount-options.ts";
import { parsePaxRecords } from "../../src/image/layer/pax.ts";
import { parseReference } from "../../src/image/reference/reference.ts";
import { parseIdmapOption } from "../../src/plan/idmap-option.ts";
import { monotonicTime } from "../../src/sys/clock.ts";
import { normalize } from "../../src/sys/path-names.ts";
import { baseConfig } from "../support/config.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { mutateDocument, mutateText, Random } from "./mutate.ts";

const COUNT = Number(process.env.FUZZ_COUNT ?? 20_000);
const RUNS = Number(process.env.FUZZ_RUNS ?? 1_000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Nothing takes so long, milliseconds. */
const LIMIT = 10_000;

/** One input, as the corpus keeps it: `config` and `process` are the text of a file, `args` a command line, others a text. */
type Input = { target: "args"; args: string[] } | { target: Exclude<Target, "args">; text: string };
type Target = "config" | "process" | "run" | "args" | keyof typeof parsers;

const parsers = {
  reference: (text: string) => parseReference(text),
  "mount-options": (text: string) => parseMountOptions(text.split(",")),
  "cpu-list": (text: string) => parseCpuList(text),
  idmap: (text: string) => parseIdmapOption(text, { uid: [], gid: [] }),
  path: (text: string) => normalize(text),
  pax: (text: string) => parsePaxRecords(Buffer.from(text, "latin1")),
};

const seeds: Record<keyof typeof parsers, string[]> = {
  reference: ["registry.example:5000/a/b:tag@sha256:".padEnd(100, "0"), "alpine", "a/b:1"],
  "mount-options": ["rbind,ro,nosuid,rprivate", "mode=755,size=64k,idmap=uids=0-1-2#3-4-5", "ratime,bind,remount"],
  "cpu-list": ["0-3,7", "1"],
  idmap: ["uids=0-1000-10#20-3000-5;gids=@0-1-2", "uids=1-2-3"],
  path: ["/a/../b//c/./d", "../x"],
  pax: ["20 path=some/file/x\n18 mtime=123.456\n", "6 a=b\n"],
};

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

const scratch = mkdtempSync(join(tmpdir(), "tsrunc-fuzz-"));
const state = join(scratch, "state");
const runtime = resolve("dist/tsrunc");
const failures: string[] = [];
const container = baseConfig(["true"]);

main();

function main(): void {
  console.log(`fuzz: seed ${SEED}, ${COUNT} inputs, ${RUNS} containers`);
  makeRootfs(join(scratch, "rootfs"));
  mkdirSync(state);
  const corpus = join(import.meta.dirname, "corpus");
  try {
    for (const name of readdirSync(corpus).sort()) tryInput(JSON.parse(readFileSync(join(corpus, name), "utf8")), true);
    const random = new Random(SEED);
    for (let index = 0; index < COUNT; index++) tryInput(randomInput(random, index), index % 20 === 0);
    for (let index = 0; index < RUNS; index++) tryInput({ target: "run", text: harmless(random) }, true);
    checkLeftovers();
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`fuzz: ${failures.length === 0 ? "nothing failed" : `${failures.length} failed, see build/fuzz`}`);
  process.exit(failures.length === 0 ? 0 : 1);
}

function randomInput(random: Random, index: number): Input {
  const text = (document: unknown) => {
    const json = JSON.stringify(mutateDocument(random, document));
    return random.below(10) === 0 ? mutateText(random, json) : json;
  };
  const kind = index % 5;
  if (kind < 2) return { target: "config", text: text(container) };
  if (kind === 2) return { target: "process", text: text(container.process) };
  if (kind === 3) {
    const target = random.pick(Object.keys(parsers) as (keyof typeof parsers)[]);
    return { target, text: mutateText(random, random.pick(seeds[target])) };
  }
  const args = random.pick(commands).map((arg) => (random.below(3) === 0 ? mutateText(random, arg) : arg));
  // No argument has a NUL.
  return { target: "args", args: args.map((arg) => arg.replaceAll("\0", "")) };
}

/** A configuration that could start, and hurts nobody if it does: it runs `true` in this rootfs, with cgroups of its own. */
function harmless(random: Random): string {
  const config = mutateDocument(random, container) as typeof container;
  if (config.process !== null && typeof config.process === "object") config.process.args = ["true"];
  config.root = { path: "rootfs" };
  if (config.linux !== null && typeof config.linux === "object") delete config.linux.cgroupsPath;
  config.hooks = {};
  return JSON.stringify(config);
}

function tryInput(input: Input, executable: boolean): void {
  const began = monotonicTime();
  try {
    const problem = input.target === "args" ? whenExecuted(input.args) : whenRead(input.target, input.text, executable);
    if (problem !== null) fail(input, problem);
  } catch (error) {
    if (isOurs(error)) return;
    fail(input, String((error as Error).stack));
  }
  if (monotonicTime() - began > LIMIT) fail(input, "took too long");
}

/** Whether an error is what the program says of bad input, and no fault of its own. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ![TypeError, RangeError, ReferenceError, SyntaxError].some((fault) => error instanceof fault);
}

function whenRead(target: Exclude<Target, "args">, text: string, executable: boolean): string | null {
  if (target !== "config" && target !== "process" && target !== "run") {
    parsers[target](text);
    return null;
  }
  const file = join(scratch, target === "process" ? "process.json" : "config.json");
  writeFileSync(file, text);
  if (target === "run") return whenExecuted(["run", "--bundle", scratch, "fuzz"]);
  if (executable) {
    const commands = [
      ["validate", scratch],
      ["run", "--explain", "--bundle", scratch, "fuzz"],
    ];
    for (const command of target === "process" ? [["exec", "--process", file, "fuzz"]] : commands) {
      const problem = whenExecuted(command);
      if (problem !== null) return problem;
    }
  }
  if (target === "process") loadProcess(file);
  else loadConfig(file);
  return null;
}

/** What is wrong with the way in which the executable ends; `null` when nothing is. */
function whenExecuted(args: readonly string[]): string | null {
  const options = { cwd: scratch, input: "", timeout: LIMIT, killSignal: "SIGKILL", encoding: "utf8" } as const;
  const { status, signal, stdout, stderr } = spawnSync(runtime, ["--root", state, ...args], options);
  const said = `${args.join(" ")}: ${stderr.slice(0, 2000)}`;
  if (signal !== null) return `ended by ${signal}: ${said}`;
  if (/^\s+at .*[(:]\d+/m.test(stderr) || /\b(Type|Range|Reference)Error\b|is not a function/.test(stderr))
    return `a stack trace, or an error of the engine: ${said}`;
  if (status !== 0 && stderr === "" && stdout === "") return `exit code ${status} without a word: ${said}`;
  return null;
}

function checkLeftovers(): void {
  const leave = (what: string) => fail({ target: "run", text: "" }, `left behind: ${what}`);
  for (const name of readdirSync(state)) leave(`state of ${name}`);
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) if (line.includes(scratch)) leave(line);
  const { stdout } = spawnSync("find", ["/sys/fs/cgroup", "-maxdepth", "4", "-type", "d", "-name", "fuzz"], {
    encoding: "utf8",
  });
  if (stdout !== "") leave(stdout);
}

function fail(input: Input, why: string): void {
  mkdirSync("build/fuzz", { recursive: true });
  const name = `${input.target}-${failures.length}.json`;
  writeFileSync(join("build/fuzz", name), `${JSON.stringify(input)}\n`);
  failures.push(name);
  console.error(`fuzz: ${name}: ${why}`);
}
