/**
 * `make soak`: creates, starts and deletes many containers, some at a time, and looks for what is left of them.
 *
 * Prints one line at the end, and exits with 1 when a command failed or anything is left. Progress goes to a terminal
 * only.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Leftover, leftovers, sweep } from "../test/integration/leftovers.ts";
import { minimalBundle } from "./bundles.ts";

const { values: options } = parseArgs({
  options: { count: { type: "string", default: "5000" }, jobs: { type: "string", default: "4" } },
});
const count = Number(options.count);
const jobs = Number(options.jobs);
const runtime = resolve(process.env.TSRUNC ?? "dist/tsrunc");

/** A command that did not exit with 0. */
interface Failure {
  id: string;
  command: string;
  code: number | null;
  stderr: string;
}

const failures: Failure[] = [];
let done = 0;
let next = 0;

async function main(): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error("containers with cgroups need root: sudo make soak");
  if (!(count > 0 && jobs > 0)) throw new Error("COUNT and JOBS must be positive numbers");
  const scratch = mkdtempSync(join(tmpdir(), "tsrunc-soak-"));
  const root = join(scratch, "state");
  mkdirSync(root);
  const started = Date.now();
  try {
    await Promise.all(Array.from({ length: jobs }, (_, job) => worker(job, scratch, root)));
    const seconds = (Date.now() - started) / 1000;
    clearProgress();
    const left = await leftovers(scratch, root, new RegExp(`soak-${process.pid}-`));
    await sweep(left);
    report(left, seconds);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Takes one container after the other until none is left to do. */
async function worker(job: number, scratch: string, root: string): Promise<void> {
  const bundle = minimalBundle(scratch, `bundle-${job}`, ["/bin/true"]).path;
  while (next < count) {
    const id = idOf(next++);
    const ok =
      (await command(id, root, ["create", "--bundle", bundle, id])) && (await command(id, root, ["start", id]));
    const removed = await command(id, root, ["delete", "--force", id]);
    if (ok && removed) done++;
    showProgress();
  }
}

function idOf(index: number): string {
  return `soak-${process.pid}-${index}`;
}

function command(id: string, root: string, args: string[]): Promise<boolean> {
  return new Promise((finished) => {
    // The init keeps the streams of its create: a pipe would not end before the container does.
    const child = spawn(runtime, ["--root", root, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString();
    });
    child.once("exit", (code) => {
      if (code !== 0) failures.push({ id, command: args[0] ?? "", code, stderr: stderr.trim() });
      child.stderr.destroy();
      finished(code === 0);
    });
  });
}

function report(left: Leftover[], seconds: number): void {
  for (const { id, command, code, stderr } of failures.slice(0, 20))
    console.error(`soak: ${id}: ${command} exited with ${code}: ${stderr}`);
  for (const leftover of left.slice(0, 20)) console.error(`soak: left behind: ${JSON.stringify(leftover)}`);
  const rate = (count / seconds).toFixed(1);
  console.log(
    `soak: ${done} of ${count} containers created, started and deleted, ${jobs} at a time, in ${seconds.toFixed(0)} s (${rate}/s); ` +
      `${failures.length} failed commands, ${left.length} things left behind`,
  );
  process.exitCode = failures.length > 0 || left.length > 0 ? 1 : 0;
}

function showProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(`\rsoak: ${done} of ${count}, ${failures.length} failed`);
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

await main().catch((error: Error) => {
  console.error(`soak: ${error.message}`);
  process.exitCode = 1;
});
