/**
 * Runs one table of workloads under every engine, with tsrunc and with runc, and prints what came of it.
 *
 * `make test-engines` (FORMAT=json, ENGINES="docker cri", WORKLOADS=PATTERN, SHORT=yes, JOBS=2): fails for a workload that does not
 * print what is expected, with a line that says how it differs.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { whyNoCgroups, whyNotPrivileged } from "../support/privileges.ts";
import { compare } from "./compare.ts";
import { findCrictl } from "./crictl.ts";
import { ENGINES, type Engine } from "./engines.ts";
import type { HostName } from "./hosts.ts";
import { makeImage } from "./image.ts";
import { measureLatency } from "./latency.ts";
import { type Cell, type Report, table } from "./report.ts";
import { type Result, Session, type Tool } from "./session.ts";
import { WORKLOADS } from "./workloads/index.ts";

const { values } = parseArgs({
  options: {
    format: { type: "string", default: "table" },
    engines: { type: "string", default: "" },
    workloads: { type: "string", default: "" },
    short: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
  },
});

/** Where the output of workloads that differ is kept. */
const OUTPUT = "build/engines";

const say = (message: string): void => console.error(`engines: ${message}`);

/** Where Docker's client looks for its plugins: Debian's package has the first. */
const DOCKER_PLUGINS = ["/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins"];
/** Where `packages.sh` has put a plugin for builds, if Debian's release has none. */
const BUILDX = resolve("build/buildx");

/** Machines that are there, for whoever interrupts the run. */
const machines = new Set<Session>();

process.exitCode = await main();

async function main(): Promise<number> {
  const reason = whyNotPrivileged() ?? whyNoCgroups();
  if (reason !== null) {
    say(`skipped: ${reason}`);
    return 0;
  }
  rmSync(OUTPUT, { recursive: true, force: true });
  const scratch = mkdtempSync(join(tmpdir(), "tsrunc-engines-"));
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.once(signal, async () => {
      for (const session of machines) await session.stop();
      rmSync(scratch, { recursive: true, force: true });
      process.exit(code);
    });
  }
  try {
    const report = await runAll(scratch);
    console.log(values.format === "json" ? JSON.stringify(report, null, 2) : table(report));
    for (const line of report.differences) say(line);
    const [count, skipped] = [
      report.cells.length,
      report.cells.filter(({ verdict }) => verdict.kind === "skipped").length,
    ];
    const failed = report.cells.filter(({ verdict }) => verdict.kind === "differs").length;
    console.error(`engines: ${count - failed - skipped} passed, ${failed} failed, ${skipped} skipped`);
    return report.differences.length === 0 ? 0 : 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function runAll(scratch: string): Promise<Report> {
  const wanted = values.engines.split(/[ ,]+/).filter((name) => name !== "");
  const engines = ENGINES.filter(({ name }) => wanted.length === 0 || wanted.includes(name.replace(" ", "-")));
  const pattern = new RegExp(values.workloads);
  const workloads = WORKLOADS.filter(({ name, short }) => pattern.test(name) && (!values.short || short === true));
  const report: Report = {
    engines: [],
    workloads: workloads.map(({ name }) => name),
    cells: [],
    latency: [],
    differences: [],
  };
  const image = makeImage();
  const crictl = engines.some(({ program }) => program === "crictl") ? findCrictl(scratch, values.short, say) : null;
  const tools: Tool[] = crictl === null ? [] : [{ from: crictl, to: "/usr/local/bin/crictl" }];
  if (existsSync(BUILDX)) tools.push({ from: BUILDX, to: "/usr/local/libexec/docker/cli-plugins" });
  for (const host of new Set(engines.map((engine) => engine.host)))
    await runHost(
      host,
      engines.filter((engine) => engine.host === host),
    );
  return report;

  async function runHost(host: HostName, columns: readonly Engine[]): Promise<void> {
    const able = columns.filter((engine) => {
      const missing = engine.programs.find((program) => !inPath(program) && !(program === "crictl" && crictl !== null));
      if (missing !== undefined) report.engines.push({ name: engine.name, version: null, skipped: `needs ${missing}` });
      return missing === undefined;
    });
    if (able.length === 0) return;
    say(`${able.map(({ name }) => name).join(", ")}: starting`);
    const runtimes = { tsrunc: resolve("dist/tsrunc"), runc: inPath("runc") ?? "" };
    const sessions: Session[] = [];
    try {
      for (const [name, path] of Object.entries(runtimes))
        sessions.push(await Session.start(host, able, join(scratch, `${host}-${name}`), path, image, tools));
      for (const session of sessions) machines.add(session);
      const [ours, theirs] = sessions as [Session, Session];
      for (const engine of able) {
        report.engines.push({ name: engine.name, version: await ours.version(engine), skipped: null });
      }
      await Promise.all(sessions.map((session) => session.runAll(workloads, Number(values.jobs), say)));
      for (const engine of able) {
        for (const workload of workloads) {
          const cell = compare(engine, workload, ours.result(engine, workload), theirs.result(engine, workload));
          if (cell === null) continue;
          add(cell);
          if (cell.verdict.kind === "differs")
            keep(cell, { tsrunc: ours.result(engine, workload), runc: theirs.result(engine, workload) });
        }
      }
      if (!values.short && values.workloads === "") report.latency.push(...(await measureLatency(host, ours, theirs)));
      for (const [name, session] of Object.entries({ tsrunc: ours, runc: theirs })) {
        for (const what of await session.leftovers()) report.differences.push(`${host} with ${name} left ${what}`);
      }
    } finally {
      for (const session of sessions) {
        await session.stop();
        machines.delete(session);
      }
    }
  }

  /** All that a workload printed, for who looks into it. */
  function keep({ engine, workload }: Cell, results: Record<string, Result | null>): void {
    for (const [runtime, result] of Object.entries(results)) {
      if (result?.kind !== "ran") continue;
      const { code, stdout, stderr } = result.outcome;
      const name = `${engine}-${workload}-${runtime}`.replaceAll(/[^a-z0-9]+/gi, "-");
      mkdirSync(OUTPUT, { recursive: true });
      writeFileSync(join(OUTPUT, name), `exit code ${code}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`);
    }
  }

  function add(cell: Cell): void {
    report.cells.push(cell);
    if (cell.verdict.kind === "differs")
      report.differences.push(`${cell.engine}, "${cell.workload}": ${cell.verdict.how}`);
  }
}

function inPath(name: string): string | null {
  const directories = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin", ...DOCKER_PLUGINS, BUILDX];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}
