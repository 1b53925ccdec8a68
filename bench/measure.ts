/** What is measured of a runtime: durations and CPU time by hyperfine, peak memory by time(1), an init's own memory by the kernel. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Runtime } from "./runtimes.ts";

/** The measurements of one case, in the order of the runtimes; `null` where a runtime could not do it. */
export interface Row {
  name: string;
  unit: "ms" | "MB" | "ns";
  /** The medians. */
  values: (number | null)[];
  /** The standard deviations of durations. */
  deviations?: (number | null)[];
  /** Milliseconds of CPU time, user and system: the medians of the rounds' means. */
  cpu?: (number | null)[];
}

/**
 * Times a command of each runtime.
 * @param command the command line of a runtime
 * @param scratch directory for hyperfine's results
 * @param prepare a command before each run, which is not timed
 */
export function time(
  name: string,
  runtimes: Runtime[],
  command: (runtime: Runtime) => string,
  scratch: string,
  prepare?: (runtime: Runtime) => string,
): Row {
  const durations = runtimes.map((): number[] | null => []);
  const cpu = runtimes.map((): number[] => []);
  const runs = Math.ceil(Number(process.env.RUNS ?? 50) / ROUNDS);
  for (let round = 0; round < ROUNDS; round++) {
    runtimes.forEach((runtime, index) => {
      const more =
        durations[index] === null
          ? null
          : timesOf(name, runtime, { command: command(runtime), prepare: prepare?.(runtime), runs, scratch });
      durations[index] = more === null ? null : [...(durations[index] ?? []), ...more.times];
      if (more !== null) cpu[index]?.push(more.user + more.system);
    });
  }
  return {
    name,
    unit: "ms",
    values: durations.map((times) => (times === null ? null : median(times) * 1000)),
    deviations: durations.map((times) => (times === null ? null : deviation(times) * 1000)),
    cpu: durations.map((times, index) => (times === null ? null : median(cpu[index] ?? []) * 1000)),
  };
}

/** How often the runtimes take turns: a busy moment of the machine should not be one's alone. */
const ROUNDS = 4;

/** What hyperfine says of some runs, in seconds: each duration, and the means of CPU time. */
interface Times {
  times: number[];
  user: number;
  system: number;
}

interface Timing {
  command: string;
  prepare: string | undefined;
  runs: number;
  scratch: string;
}

/** `null`, and a word to the user, when the command fails. */
function timesOf(name: string, runtime: Runtime, { command, prepare, runs, scratch }: Timing): Times | null {
  const file = join(scratch, "hyperfine.json");
  const args = ["-N", "--style", "none", "--warmup", "3", "--runs", String(runs), "--export-json", file];
  if (prepare !== undefined) args.push("--prepare", prepare);
  const { status, stderr } = spawnSync("hyperfine", [...args, command], { encoding: "utf8" });
  if (status !== 0) {
    console.error(`bench: ${name}, ${runtime.name}: ${stderr.trim()}`);
    return null;
  }
  return JSON.parse(readFileSync(file, "utf8")).results[0] as Times;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 1 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

/** The most memory that `run` of a bundle holds at a time, in MB (10^6 bytes). */
export function peakMemory(runtimes: Runtime[], bundle: string): Row {
  const values = runtimes.map(({ path, root }) => {
    if (!existsSync("/usr/bin/time")) return null;
    const peaks = Array.from({ length: 5 }, () => {
      const args = ["-f", "%M", path, "--root", root, "run", "--bundle", bundle, `bench-${process.pid}`];
      const { stderr } = spawnSync("/usr/bin/time", args, { encoding: "utf8" });
      return (Number(stderr.trim().split("\n").at(-1)) * 1024) / 1e6;
    });
    return median(peaks);
  });
  return { name: "run, peak memory", unit: "MB", values };
}

/**
 * The memory that an init which waits for `start` has of its own, in MB (10^6 bytes): what it has written to since the fork. Its Pss would
 * count page cache, too, of the engine's file, whole for the one process that there is here; all that are started share it.
 */
export function initMemory(runtimes: Runtime[], bundle: string): Row {
  const values = runtimes.map(({ path, root }) => {
    const id = `bench-${process.pid}`;
    execFileSync(path, ["--root", root, "create", "--bundle", bundle, id], { stdio: "ignore" });
    try {
      const { pid } = JSON.parse(execFileSync(path, ["--root", root, "state", id], { encoding: "utf8" }));
      const own = /^Private_Dirty:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
      return (Number(own) * 1024) / 1e6;
    } finally {
      execFileSync(path, ["--root", root, "delete", "--force", id]);
    }
  });
  return { name: "created init, own memory", unit: "MB", values };
}
