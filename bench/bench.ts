/**
 * `make bench`: tsrunc beside the runc and crun that are installed, in one run; and its images beside umoci, podman and skopeo
 * (`images.ts`, IMAGE_RUNS (3) rounds of what takes seconds). `--part runtimes` or `--part images` is one of the two.
 *
 * Each figure is a median of RUNS (50) runs. RUNC and CRUN are paths of other peers than those in PATH. Progress goes to stderr, the table or, with `--format json`, the figures to
 * stdout.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type BenchBundle, engineBundles, minimalBundle } from "./bundles.ts";
import { type ImageRow, imageTable, measureImages } from "./images.ts";
import { initMemory, peakMemory, type Row, time } from "./measure.ts";
import { table, verdicts } from "./report.ts";
import { type Found, findRuntimes, makeHybridFitForCrun, type Runtime } from "./runtimes.ts";
import { callCosts } from "./syscalls.ts";

const { values: options } = parseArgs({
  options: { format: { type: "string", default: "table" }, part: { type: "string", default: "all" } },
});

/** An id for each runtime: they share the cgroup hierarchies. */
const id = (runtime: Runtime): string => `bench-${process.pid}-${runtime.name}`;

const say = (message: string): void => console.error(`bench: ${message}`);

function main(): void {
  if (process.getuid?.() !== 0) return fail("containers with cgroups need root: sudo make bench");
  if (spawnSync("hyperfine", ["--version"]).status !== 0) return fail("needs hyperfine (apt-get install hyperfine)");
  const scratch = mkdtempSync(join(tmpdir(), "tsrunc-bench-"));
  const undo = makeHybridFitForCrun(say);
  // What was just built would be written to disk meanwhile.
  spawnSync("sync");
  try {
    const minimal = minimalBundle(scratch, "minimal", ["/bin/true"]);
    const { runtimes, missing } = findRuntimes(minimal.path, scratch);
    for (const { name, reason } of missing) say(`without ${name}: ${reason}`);
    const engines = engineBundles(scratch);
    if (engines.length === 0) say("without engines' bundles: ../shared/bundles is missing");
    const rows = options.part === "images" ? [] : measure(runtimes, minimal, engines, scratch);
    const images = options.part === "runtimes" ? [] : measureImages(scratch, say);
    const tables = [
      ...(rows.length > 0 ? [table(rows, runtimes)] : []),
      ...(images.length > 0 ? [imageTable(images)] : []),
    ];
    console.log(
      options.format === "json" ? json(runtimes, missing, rows, images) : [machine(), ...tables].join("\n\n"),
    );
  } finally {
    undo();
    rmSync(scratch, { recursive: true, force: true });
  }
}

function measure(runtimes: Runtime[], minimal: BenchBundle, engines: BenchBundle[], scratch: string): Row[] {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
  };
  for (const { name, path } of [minimal, ...engines]) {
    say(`run, ${name}`);
    add(time(`run, ${name}`, runtimes, (runtime) => `${call(runtime)} run --bundle ${path} ${id(runtime)}`, scratch));
  }
  const filtered = engines.find(({ name }) => name === "podman");
  if (filtered !== undefined) {
    say("run, podman, first start");
    // tsrunc keeps the filters that it has built. The peers build theirs each time.
    const forget = ({ root }: Runtime): string => `rm -rf ${root}/seccomp:filters`;
    const start = (runtime: Runtime): string => `${call(runtime)} run --bundle ${filtered.path} ${id(runtime)}`;
    add(time("run, podman, first start", runtimes, start, scratch, forget));
    say("system calls under podman's filter");
    for (const row of callCosts(filtered, runtimes, id)) add(row);
  }
  say("create, start, delete");
  const life = (runtime: Runtime): string => {
    const start = `${call(runtime)} create --bundle ${minimal.path} ${id(runtime)} && ${call(runtime)} start ${id(runtime)}`;
    return `sh -c '${start} && ${call(runtime)} delete --force ${id(runtime)}'`;
  };
  add(time("create + start + delete", runtimes, life, scratch));
  const sleeper = minimalBundle(scratch, "sleeper", ["/bin/sleep", "100000"]);
  withContainers(runtimes, sleeper, () => {
    say("exec");
    add(time("exec", runtimes, (runtime) => `${call(runtime)} exec ${id(runtime)} /bin/true`, scratch));
    say("state");
    add(time("state", runtimes, (runtime) => `${call(runtime)} state ${id(runtime)}`, scratch));
  });
  say("memory");
  add(peakMemory(runtimes, minimal.path));
  add(initMemory(runtimes, minimal.path));
  return rows;
}

function json(runtimes: Runtime[], missing: Found["missing"], rows: Row[], images: ImageRow[]): string {
  const judged = rows.map((row) => ({ ...row, verdicts: verdicts(row, runtimes) }));
  const named = runtimes.map(({ name, version }) => ({ name, version }));
  return JSON.stringify({ machine: machine(), runtimes: named, missing, rows: judged, images }, null, 2);
}

/** Runs a container of each runtime for the time of `measure`. */
function withContainers(runtimes: Runtime[], bundle: BenchBundle, measure: () => void): void {
  try {
    for (const runtime of runtimes) {
      const args = ["--root", runtime.root, "run", "--detach", "--bundle", bundle.path, id(runtime)];
      execFileSync(runtime.path, args, { stdio: "ignore" });
    }
    measure();
  } finally {
    for (const runtime of runtimes) spawnSync(runtime.path, ["--root", runtime.root, "delete", "--force", id(runtime)]);
  }
}

function call({ path, root }: Runtime): string {
  return `${path} --root ${root}`;
}

function machine(): string {
  return `Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? process.arch}`;
}

function fail(reason: string): void {
  console.error(`bench: ${reason}`);
  process.exitCode = 1;
}

main();
