/**
 * What the integration tests stand on: a runtime under test, bundles for it, and proof after each test that nothing
 * of its containers is left.
 *
 * The runtime is `dist/tsrunc`, or the one that `$TSRUNC` names: `TSRUNC=/usr/sbin/runc` shows what the tests
 * themselves are worth.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { baseConfig, type TestSpec } from "../support/config.ts";
import { patience } from "../support/patience.ts";
import { whyNoCgroups, whyNotPrivileged } from "../support/privileges.ts";
import { findBusybox, makeRootfs } from "../support/rootfs.ts";
import { leftovers, sweep } from "./leftovers.ts";

/** Absolute path of the runtime under test. */
export const runtime = resolve(process.env.TSRUNC ?? "dist/tsrunc");

/** Whether the runtime under test is tsrunc, and not a peer that the tests are tried on. */
export const isTsrunc = basename(runtime) === "tsrunc";

export { patience };

/** How many milliseconds a command has before it counts as hung and is killed; less than a test has, to be told of. */
export const commandTimeout = Math.max(30_000, 5000 * patience);

/** What a command came to. */
export interface Result {
  /** The exit code; 128 + n when the command itself was killed by signal n. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** What the command reads on stdin; nothing by default. */
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** Replaces the test's own `--root`. */
  root?: string;
  /** Global options, before the command. */
  global?: string[];
}

/** A bundle in the test's temporary directory. */
export interface Bundle {
  path: string;
  rootfs: string;
  config: TestSpec;
}

/** Changes a bundle's configuration before it is written. */
export type Edit = (config: TestSpec, bundle: Bundle) => unknown;

interface Scratch {
  directory: string;
  root: string;
  ids: string[];
  children: ChildProcess[];
}

let scratch: Scratch | null = null;
let counter = 0;

/**
 * To be called at the top of a test file: skips its tests without root, gives each test a directory and a `--root` of
 * its own, and after it deletes its containers and fails it if any mount, cgroup, process or state is left.
 */
export function useContainers(): void {
  beforeEach((context) => {
    const reason = cannotRun();
    if (reason !== null) context.skip(reason);
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-test-"));
    scratch = { directory, root: join(directory, "state"), ids: [], children: [] };
    // A container in a user namespace has to get through here.
    chmodSync(directory, 0o711);
    mkdirSync(scratch.root);
  });
  afterEach(async () => {
    if (scratch === null) return;
    const { directory, root, ids, children } = scratch;
    for (const child of children) child.kill("SIGKILL");
    for (const id of new Set([...ids, ...(existsSync(root) ? readdirSync(root) : [])]))
      tsrunc(["delete", "--force", id]);
    const left = await leftovers(directory, root, idsPattern(ids));
    scratch = null;
    await sweep(left);
    rmSync(directory, { recursive: true, force: true });
    expect(left, "what the test left behind").toEqual([]);
  });
}

/** Matches the ids, and no longer ones that begin like them. */
function idsPattern(ids: string[]): RegExp {
  return ids.length === 0 ? /(?!)/ : new RegExp(`(?:${ids.join("|")})(?!\\d)`);
}

/** Why no container can run here, or `null`. */
export function cannotRun(): string | null {
  const unprivileged = whyNotPrivileged() ?? whyNoCgroups();
  if (unprivileged !== null) return unprivileged;
  if (!existsSync(runtime)) return `needs ${runtime}: make build`;
  if (findBusybox() === null) return "needs a static busybox: make build/busybox";
  return null;
}

/** Whether a program is in PATH. */
export function hasProgram(name: string): boolean {
  return (process.env.PATH ?? "").split(":").some((directory) => existsSync(join(directory, name)));
}

/** The test's temporary directory. */
export function directory(): string {
  return current().directory;
}

/** The test's `--root`. */
export function stateRoot(): string {
  return current().root;
}

/** A container id that no other test uses; its container is deleted after the test. */
export function newId(): string {
  const id = `test-${process.pid}-${++counter}`;
  current().ids.push(id);
  return id;
}

/** Runs the runtime to its end, with the test's `--root`. */
export function tsrunc(args: string[], options: CommandOptions = {}): Result {
  const { input, env, cwd, global = [] } = options;
  const output = join(current().directory, `output-${++counter}`);
  // Files, not pipes: a container that outlives the command would keep a pipe open.
  const stdout = openSync(`${output}.out`, "w");
  const stderr = openSync(`${output}.err`, "w");
  try {
    const done = spawnSync(runtime, ["--root", options.root ?? current().root, ...global, ...args], {
      cwd,
      env: { ...process.env, ...env },
      ...(input === undefined ? {} : { input }),
      stdio: [input === undefined ? "ignore" : "pipe", stdout, stderr],
      timeout: commandTimeout,
      killSignal: "SIGKILL",
    });
    const code = done.status ?? 128 + signalNumber(done.signal);
    return { code, stdout: readFileSync(`${output}.out`, "utf8"), stderr: readFileSync(`${output}.err`, "utf8") };
  } finally {
    closeSync(stdout);
    closeSync(stderr);
  }
}

/** Starts the runtime and goes on; it is killed after the test. */
export function spawnTsrunc(args: string[], env: Record<string, string> = {}): ChildProcess {
  const child = spawn(runtime, ["--root", current().root, ...args], {
    stdio: "ignore",
    env: { ...process.env, ...env },
  });
  current().children.push(child);
  return child;
}

/** The arguments that run the runtime with the test's `--root`, for tools that run a command. */
export function commandLine(args: string[]): string[] {
  return [runtime, "--root", current().root, ...args];
}

/**
 * Makes a bundle of its own root filesystem.
 * @param args what the container runs; a string is a script for its shell
 * @param edit changes the configuration before it is written
 */
export function makeBundle(args: string | string[], edit: Edit = () => {}): Bundle {
  const path = join(current().directory, `bundle-${++counter}`);
  const rootfs = join(path, "rootfs");
  mkdirSync(rootfs, { recursive: true });
  makeRootfs(rootfs);
  const config = baseConfig(typeof args === "string" ? ["sh", "-c", args] : args);
  const bundle = { path, rootfs, config };
  edit(config, bundle);
  writeConfig(bundle);
  return bundle;
}

/** Writes a bundle's configuration again. */
export function writeConfig(bundle: Bundle): void {
  writeFileSync(join(bundle.path, "config.json"), JSON.stringify(bundle.config));
}

/** Runs a container to its end. */
export function run(args: string | string[], edit?: Edit, options: CommandOptions & { flags?: string[] } = {}): Result {
  const bundle = makeBundle(args, edit);
  return tsrunc(["run", "--bundle", bundle.path, ...(options.flags ?? []), newId()], options);
}

/** Runs a container that must succeed. @returns its output, without the last newline */
export function output(args: string | string[], edit?: Edit): string {
  const { code, stdout, stderr } = run(args, edit);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.replace(/\n$/, "");
}

/** Starts a container that runs on its own. @returns its id */
export function startDetached(args: string | string[] = "sleep 1000", edit?: Edit): string {
  const id = newId();
  succeed(["run", "--detach", "--bundle", makeBundle(args, edit).path, id]);
  return id;
}

/** Runs a command that must succeed. @returns its stdout */
export function succeed(args: string[], options?: CommandOptions): string {
  const { code, stdout, stderr } = tsrunc(args, options);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

/** Runs a command that must be refused: exit code 1, nothing on stdout. @returns its stderr */
export function refused(args: string[], options?: CommandOptions): string {
  const { code, stderr } = tsrunc(args, options);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/./) });
  return stderr;
}

/** What `state` prints. */
export interface StateOutput {
  ociVersion: string;
  id: string;
  pid: number;
  status: string;
  bundle: string;
  annotations?: Record<string, string>;
}

export function state(id: string): StateOutput {
  return JSON.parse(succeed(["state", id])) as StateOutput;
}

/** Waits until a condition holds. @throws {Error} when it does not within ten seconds */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < patience * 50; attempt++) {
    if (condition()) return;
    await pause(20);
  }
  throw new Error(`waited ${patience} seconds for: ${what}`);
}

/** @param milliseconds how long to wait */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Waits for a command started by {@link spawnTsrunc}. @returns its exit code, or 128 + n after signal n */
export function ended(child: ChildProcess): Promise<number> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((done) => child.once("exit", (code, signal) => done(code ?? 128 + signalNumber(signal))));
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === "SIGKILL" ? 9 : signal === "SIGTERM" ? 15 : 0;
}

function current(): Scratch {
  if (scratch === null) throw new Error("call useContainers() at the top of the test file");
  return scratch;
}
