/** The runtime under test as a check meets it: it makes bundles, runs commands, looks inside, and clears up. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { type Leftover, leftovers, sweep } from "./cleanup.ts";
import { type Result, type RunOptions, runCommand } from "./command.ts";
import { HostDevices } from "./host-devices.ts";
import { PROBE, readSight, type Sight } from "./probe.ts";
import { makeRootfs } from "./rootfs.ts";
import { VARIABLES } from "./selection.ts";
import { baseSpec, type Spec } from "./spec.ts";

export interface Bundle {
  path: string;
  rootfs: string;
  spec: Spec;
}

/** Changes a configuration before it is written. */
export type Edit = (
  spec: Required<Pick<Spec, "process" | "linux" | "mounts" | "root">> & Spec,
  bundle: Bundle,
) => unknown;

/** What `state` prints; all that is in it was written by the runtime under test. */
export interface State {
  ociVersion: string;
  id: string;
  status: string;
  pid?: number;
  bundle: string;
  annotations?: Record<string, string>;
}

let counter = 0;

export class Subject {
  /** Path of the runtime under test. */
  readonly runtime = process.env[VARIABLES.runtime] ?? "";
  /** A temporary directory of this check alone. */
  readonly directory = mkdtempSync(join(tmpdir(), "conformance-"));
  /** The state directory that each command is given. */
  readonly root = join(this.directory, "state");
  /** What each command of the runtime is run by: a program and its first arguments, or nothing. */
  wrapper: readonly string[] = [];
  /** The machine's devices, which are given back what they had when the check is over. */
  readonly hostDevices = new HostDevices();
  readonly #ids: string[] = [];
  readonly #afterwards: (() => void | Promise<void>)[] = [];

  /** @param skip ends the check as skipped: this machine cannot tell, for the reason given */
  constructor(readonly skip: (reason: string) => never) {
    // Containers in user namespaces have to get through.
    chmodSync(this.directory, 0o711);
    mkdirSync(this.root, { mode: 0o711 });
  }

  /** An id that nothing else uses. */
  newId(): string {
    const id = `conformance-${process.pid}-${++counter}`;
    this.#ids.push(id);
    return id;
  }

  /** Has something done when the check is over, whatever comes of it. */
  afterwards(act: () => void | Promise<void>): void {
    this.#afterwards.unshift(act);
  }

  /**
   * Makes a bundle.
   * @param program arguments; a string is a script for the container's shell
   */
  bundle(program: string | readonly string[], edit: Edit = () => {}): Bundle {
    const path = join(this.directory, `bundle-${++counter}`);
    const rootfs = join(path, "rootfs");
    mkdirSync(rootfs, { recursive: true });
    makeRootfs(rootfs);
    const spec = baseSpec(typeof program === "string" ? ["/bin/sh", "-c", program] : program);
    const bundle: Bundle = { path, rootfs, spec };
    edit(spec as Parameters<Edit>[0], bundle);
    this.write(bundle);
    return bundle;
  }

  /** Writes a bundle's configuration, again. */
  write(bundle: Bundle): void {
    writeFileSync(join(bundle.path, "config.json"), JSON.stringify(bundle.spec, null, 2));
  }

  /** Runs a command of the runtime, with this check's `--root`. */
  command(args: readonly string[], options: RunOptions & { global?: readonly string[] } = {}): Promise<Result> {
    const [program = "", ...words] = [...this.wrapper, this.runtime];
    return runCommand(program, [...words, "--root", this.root, ...(options.global ?? []), ...args], options);
  }

  /** Runs a command that must succeed. */
  async succeed(args: readonly string[], options: Parameters<Subject["command"]>[1] = {}): Promise<Result> {
    const result = await this.command(args, options);
    expect(result.code, `exit code of ${result.command}; stderr: ${result.stderr}`).toBe(0);
    return result;
  }

  /** Runs a command that must be refused: a code other than 0, in time, and a word why. */
  async refused(args: readonly string[], options: Parameters<Subject["command"]>[1] = {}): Promise<Result> {
    const result = await this.command(args, options);
    expect(result.code, `${result.command} must end with an error, and did not end`).not.toBeNull();
    expect(result.code, `${result.command} must end with an error; stdout: ${result.stdout}`).not.toBe(0);
    expect(result.stdout + result.stderr, `what ${result.command} says of its error`).toMatch(/\S/);
    return result;
  }

  /** Runs a container to its end. */
  async run(program: string | readonly string[], edit?: Edit, options: RunOptions = {}): Promise<Result> {
    return this.command(["run", "--bundle", this.bundle(program, edit).path, this.newId()], options);
  }

  /** Runs a container that must succeed. @returns its output, without the last newline */
  async output(program: string | readonly string[], edit?: Edit, options: RunOptions = {}): Promise<string> {
    const result = await this.run(program, edit, options);
    expect(result.code, `exit code of the container; stderr: ${result.stderr}`).toBe(0);
    return result.stdout.replace(/\n$/, "");
  }

  /** Runs a container that must come to its program: an exit code alone would tell nothing of a runtime that does nothing. */
  async runs(edit?: Edit): Promise<void> {
    expect(await this.output("echo ran", edit), "what a program prints that must run").toBe("ran");
  }

  /** Runs a container that a runtime may refuse, with a word why; where it does not, the program must have run, and printed `ran`. */
  async runsOrRefuses(edit: Edit, program = "echo ran"): Promise<Result> {
    const result = await this.run(program, edit);
    const { code, stdout, stderr } = result;
    expect(code, "the run must end, and did not").not.toBeNull();
    if (code === 0) expect(stdout, "what a program prints that ran").toBe("ran\n");
    else expect(stdout + stderr, `what ${result.command} says of its error`).toMatch(/\S/);
    return result;
  }

  /** What the process of a new container sees. */
  async sight(edit?: Edit, options: RunOptions = {}): Promise<Sight> {
    return readSight(await this.output(["/bin/sh", "-c", PROBE, "probe"], edit, options));
  }

  /**
   * A configuration that the runtime must refuse: no container comes of it.
   * @returns what the runtime said
   */
  async refusesConfig(edit: Edit, program: string | readonly string[] = ["/bin/true"]): Promise<Result> {
    const id = this.newId();
    const result = await this.refused(["create", "--bundle", this.bundle(program, edit).path, id]);
    const { code } = await this.command(["state", id]);
    expect(code, `state of a container that was refused must be an error`).not.toBe(0);
    return result;
  }

  /** Creates a container, without starting it. @returns its id */
  async create(
    program: string | readonly string[] = "sleep 1000",
    edit?: Edit,
    options: RunOptions = {},
  ): Promise<string> {
    const id = this.newId();
    await this.succeed(["create", "--bundle", this.bundle(program, edit).path, id], options);
    return id;
  }

  /** Creates and starts a container that goes on. @returns its id */
  async start(program: string | readonly string[] = "sleep 1000", edit?: Edit): Promise<string> {
    const id = await this.create(program, edit);
    await this.succeed(["start", id]);
    return id;
  }

  async state(id: string): Promise<State> {
    const { stdout } = await this.succeed(["state", id]);
    try {
      return JSON.parse(stdout) as State;
    } catch {
      throw new Error(`state must print JSON, and printed ${JSON.stringify(stdout)}`);
    }
  }

  /** Waits until a container has a status. */
  async untilStatus(id: string, status: string): Promise<State> {
    let last: State | undefined;
    for (let attempt = 0; attempt < 150; attempt++) {
      last = await this.state(id);
      if (last.status === status) return last;
      await pause(30);
    }
    throw new Error(`the container must become ${status}, and is ${last?.status}`);
  }

  /** What is in a file of a bundle's root filesystem; `null` when there is none. */
  read(bundle: Bundle, path: string): string | null {
    const file = join(bundle.rootfs, path);
    return existsSync(file) ? readFileSync(file, "utf8") : null;
  }

  /** Clears what the check made. @throws when the runtime left something behind that `delete --force` should have taken away */
  async clear(): Promise<void> {
    for (const act of this.#afterwards) await act();
    for (const id of this.#ids) await this.command(["delete", "--force", id]);
    const left = await leftovers(this.directory, this.#ids);
    await sweep(left);
    if (process.env[VARIABLES.keep] === undefined) rmSync(this.directory, { recursive: true, force: true });
    this.hostDevices.restore();
    const found = left.map(words);
    expect(found, `once all containers are deleted, this is left: ${found.join(", ")}`).toEqual([]);
  }

  /** Names in the state directory. */
  states(): string[] {
    return readdirSync(this.root).filter((name) => this.#ids.includes(basename(name)));
  }
}

function words(left: Leftover): string {
  return left.kind === "process" ? `process ${left.pid}: ${left.command}` : `${left.kind} ${left.path}`;
}

/** @param milliseconds how long to wait */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Waits for a condition, for five seconds at most. @throws {Error} naming what did not come about */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 150; attempt++) {
    if (await condition()) return;
    await pause(30);
  }
  throw new Error(`expected within five seconds: ${what}`);
}
