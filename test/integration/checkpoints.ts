/** What tests of checkpoints share: a process that counts, written down and had to go on by the CRIU that works here. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { findCriu } from "../support/criu.ts";
import { type Bundle, commandLine, directory, type Edit, makeBundle, newId, succeed, until } from "./harness.ts";

export const criu = findCriu();
/** Its PATH. */
export const env: Record<string, string> = criu.kind === "works" ? { PATH: criu.path } : {};

/** Counts in a file, and keeps the number in memory alone. */
export const COUNTING = "i=0; while :; do i=$((i+1)); echo $i >> /count; sleep 0.1; done";

/** A container whose streams are the null device: a file of the host's that it has open would keep it from being dumped. */
export function start(
  args: string | string[] = COUNTING,
  edit: Edit = () => {},
  global: string[] = [],
): { id: string; bundle: Bundle } {
  const id = newId();
  const bundle = makeBundle(args, edit);
  quietly([...global, "run", "--detach", "--bundle", bundle.path, id]);
  return { id, bundle };
}

/** Runs a command that must succeed, with the null device for its streams. */
export function quietly(args: string[]): void {
  const [program = "", ...rest] = commandLine(args);
  const log = join(directory(), "quiet.log");
  rmSync(log, { force: true });
  const { status } = spawnSync(program, ["--log", log, ...rest], { stdio: "ignore", env: { ...process.env, ...env } });
  expect({ args, status, log: existsSync(log) ? readFileSync(log, "utf8") : "" }).toEqual({ args, status: 0, log: "" });
}

export function images(name = "images"): string {
  return join(directory(), name);
}

export function checkpoint(id: string, ...flags: string[]): void {
  succeed(["checkpoint", "--image-path", images(), ...flags, id], { env });
}

export function restore({ id, bundle }: { id: string; bundle: Bundle }, ...flags: string[]): void {
  quietly(["restore", "--detach", "--image-path", images(), "--bundle", bundle.path, ...flags, id]);
}

export function count(bundle: Bundle): number {
  const file = join(bundle.rootfs, "count");
  return existsSync(file) ? Number(readFileSync(file, "utf8").split("\n").at(-2) ?? 0) : 0;
}

export async function countsOn(bundle: Bundle, from: number): Promise<void> {
  await until(`the count to pass ${from}`, () => count(bundle) > from);
}

/** A network namespace by path. */
export function networkNamespace(): string {
  const path = join(directory(), "netns");
  writeFileSync(path, "");
  const { status, stderr } = spawnSync("unshare", [`--net=${path}`, "true"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return path;
}
