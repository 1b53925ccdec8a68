/** One kind of engine's host with one runtime: all workloads of its engines run there. */
import { cpSync } from "node:fs";
import { basename } from "node:path";
import type { Engine } from "./engines.ts";
import { type HostName, prepare } from "./hosts.ts";
import { IMAGE } from "./image.ts";
import { leftOn, removeKept, type Traces, traces } from "./leftovers.ts";
import { Machine, type Outcome } from "./machine.ts";
import { whyNotHere } from "./needs.ts";
import { inWords, PRELUDE, type Workload } from "./workload.ts";

/** What a workload came to under an engine. */
export type Result = { kind: "ran"; outcome: Outcome; seconds: number } | { kind: "skipped"; reason: string };

/** A program that is brought along, or a directory of it: where it is, and its path on the machine. */
export interface Tool {
  from: string;
  to: string;
}

export class Session {
  readonly machine: Machine;
  readonly #host: HostName;
  readonly #engines: readonly Engine[];
  readonly #results = new Map<string, Result>();
  readonly #runtime: string;
  readonly #before: Traces;

  private constructor(host: HostName, engines: readonly Engine[], runtime: string, machine: Machine, before: Traces) {
    this.#host = host;
    this.#runtime = runtime;
    this.#engines = engines;
    this.machine = machine;
    this.#before = before;
  }

  /** @throws {Error} saying why the host cannot be had here */
  static async start(
    host: HostName,
    engines: readonly Engine[],
    home: string,
    runtime: string,
    image: Buffer,
    tools: readonly Tool[],
  ): Promise<Session> {
    const machine = await Machine.start(home, runtime);
    try {
      const before = traces(machine);
      for (const { from, to } of tools) cpSync(from, machine.path(to), { recursive: true, verbatimSymlinks: true });
      await prepare(host, machine, image);
      const session = new Session(host, engines, basename(runtime), machine, before);
      for (const engine of engines) if (engine.prepare !== undefined) await session.run(engine, "", engine.prepare);
      return session;
    } catch (error) {
      await machine.stop();
      throw error;
    }
  }

  /** Runs a script in an engine's words. */
  run(engine: Engine, id: string, script: string, limit?: number): Promise<Outcome> {
    const own = `engine=${engine.program} id=${id} image=${IMAGE} run="ctr run --runc-binary /usr/local/bin/tsrunc"`;
    return this.machine.run(`${own}\n${PRELUDE}\n${script}`, {
      ...(engine.caller === undefined ? {} : { caller: engine.caller }),
      ...(limit === undefined ? {} : { limit }),
    });
  }

  async version(engine: Engine): Promise<string> {
    return (await this.run(engine, "", engine.version)).stdout.trim();
  }

  /** Runs the workloads of all engines, so many at a time; those that want to be alone come last. */
  async runAll(workloads: readonly Workload[], jobs: number, say: (message: string) => void): Promise<void> {
    const all = workloads.flatMap((workload) => this.#engines.map((engine) => ({ engine, workload })));
    const crowd = all.filter(({ workload }) => workload.alone !== true);
    const worker = async (): Promise<void> => {
      for (let next = crowd.shift(); next !== undefined; next = crowd.shift())
        await this.#try(next.engine, next.workload, say);
    };
    await Promise.all(Array.from({ length: jobs }, worker));
    for (const { engine, workload } of all) if (workload.alone === true) await this.#try(engine, workload, say);
  }

  async #try(engine: Engine, workload: Workload, say: (message: string) => void): Promise<void> {
    const script = inWords(workload.words, engine.speaks);
    if (script === undefined) return;
    const key = keyOf(engine, workload);
    const reason = inWords(workload.without ?? {}, engine.speaks) ?? whyNotHere(workload, engine);
    if (reason !== null) {
      this.#results.set(key, { kind: "skipped", reason });
      return;
    }
    // Cgroups are the whole machine's: those of the other runtime's containers have other names.
    const id = `${slug(workload.name)}-${slug(engine.name)}-${this.#runtime}`;
    const began = Date.now();
    const outcome = await this.run(engine, id, script, workload.limit);
    const cleaned = await this.run(engine, id, engine.clean);
    if (/error/i.test(cleaned.stderr)) say(`${engine.name}: ${workload.name}: cleaning up: ${cleaned.stderr.trim()}`);
    const seconds = (Date.now() - began) / 1000;
    this.#results.set(key, { kind: "ran", outcome, seconds });
    say(`${engine.name}: ${workload.name}: ${seconds.toFixed(1)} s`);
  }

  /** `null` for a workload that the engine does not have. */
  result(engine: Engine, workload: Workload): Result | null {
    return this.#results.get(keyOf(engine, workload)) ?? null;
  }

  /** What is there still, now that the engines were told to remove all: containers, processes, mounts, interfaces, cgroups. */
  async leftovers(): Promise<string[]> {
    const found: string[] = [];
    for (const engine of this.#engines) {
      const { stdout } = await this.run(engine, "", engine.left);
      found.push(
        ...stdout
          .split("\n")
          .filter(Boolean)
          .map((name) => `${name} of ${engine.name}`),
      );
    }
    return [...found, ...(await leftOn(this.machine, this.#host, this.#before))];
  }

  stop(): Promise<void> {
    removeKept(this.machine, this.#host, this.#before);
    return this.machine.stop();
  }
}

function keyOf(engine: Engine, workload: Workload): string {
  return `${engine.name}\0${workload.name}`;
}

/** A name that all engines allow. */
function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 24)
    .replace(/-$/, "");
}
