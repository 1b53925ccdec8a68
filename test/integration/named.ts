/** What tests of containers with a name share. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect } from "vitest";
import { Scratch } from "../image/support.ts";
import { findBusybox } from "../support/rootfs.ts";
import { cannotRun, type Result, runtime } from "./harness.ts";

/** The test's own. */
export let scratch: Scratch;

const APPLETS = [
  "cat",
  "echo",
  "false",
  "head",
  "ls",
  "nc",
  "mkdir",
  "rm",
  "seq",
  "sh",
  "sleep",
  "stty",
  "touch",
  "true",
  "wc",
  "yes",
];

/** Gives each test an image `demo` and a place of its own, and proves after it that nothing is left. */
export function useNamedContainers(): void {
  beforeEach(async (context) => {
    const reason = cannotRun();
    if (reason !== null) context.skip(reason);
    scratch = new Scratch();
    const rootfs = scratch.at("rootfs");
    mkdirSync(join(rootfs, "bin"), { recursive: true });
    mkdirSync(join(rootfs, "data"));
    mkdirSync(join(rootfs, "etc"));
    writeFileSync(join(rootfs, "data/seed"), "from the image\n");
    writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/home:/bin/sh\n");
    await copyFile(findBusybox() as string, join(rootfs, "bin/busybox"));
    for (const name of APPLETS) symlinkSync("busybox", join(rootfs, "bin", name));
    must(["image", "import", "--change", "STOPSIGNAL USR1", "--change", 'CMD ["/bin/sleep","100"]', rootfs, "demo"]);
  });

  afterEach(() => {
    if (scratch === undefined) return;
    using _ = scratch;
    for (const { id } of list()) tsrunc(["container", "rm", "--force", id]);
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const left = mounts.filter((line) => line.includes(scratch.path));
    const all = existsSync(scratch.at("run")) ? readdirSync(scratch.at("run")) : [];
    // What is no container's: the runtime's cache.
    const states = all.filter((name) => name !== "seccomp:filters");
    const containers = readdirSync(scratch.at("store/containers")).filter((name) => name !== "lock");
    const snapshots = join(scratch.at("store"), "snapshots/active");
    const active = existsSync(snapshots) ? readdirSync(snapshots) : [];
    expect({ left, states, containers, active }).toEqual({ left: [], states: [], containers: [], active: [] });
  });
}

/** Runs a command on the test's own store. */
export function tsrunc([group = "", name = "", ...args]: string[], input = ""): Result {
  const all = ["--root", scratch.at("run"), group, name, "--store", scratch.at("store"), ...args];
  const { status, stdout, stderr } = spawnSync(runtime, all, { encoding: "utf8", input });
  return { code: status ?? -1, stdout, stderr };
}

export function must(args: string[], input?: string): string {
  const { code, stdout, stderr } = tsrunc(args, input);
  if (code !== 0) throw new Error(`tsrunc ${args.join(" ")}: exit code ${code}: ${stderr}`);
  return stdout;
}

export interface Listed {
  id: string;
  name: string;
  status: string;
  pid: number;
  exitCode: number | null;
  error: string | null;
}

export const list = (): Listed[] => JSON.parse(must(["container", "list", "--format", "json"]));
export const one = (name: string) => list().find((container) => container.name === name);

/** The pid of a container's monitor: who has its file locked. */
export function monitorOf(id: string): number {
  const inode = statSync(join(scratch.at("store/containers"), id, "monitor")).ino;
  const line = readFileSync("/proc/locks", "utf8")
    .split("\n")
    .find((lock) => lock.includes(`:${inode} `));
  return Number(line?.trim().split(/\s+/)[4]);
}

export async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (isTrue()) return;
    await sleep(50);
  }
  throw new Error("waited for 10 seconds");
}
