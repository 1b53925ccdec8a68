/** The runtime, executed on a container. */
import { spawnSync } from "node:child_process";
import { runtimePath } from "../bundle/runtime-path.ts";
import type { Store } from "../store/store.ts";
import type { Named } from "./names.ts";
import { type Container, containerPath } from "./record.ts";

/** What a command of the runtime came to. */
export interface RuntimeResult {
  code: number;
  stdout: string;
  /** What it said of an error, without the program's name. */
  error: string;
}

/** Executes a command of the runtime, and waits. @param stdio descriptors for its standard streams; default: none, and what it writes is returned */
export function runRuntime(
  { root }: Pick<Container, "root">,
  args: readonly string[],
  stdio?: readonly [number | "ignore", number, number],
): RuntimeResult {
  const { status, stdout, stderr, error } = spawnSync(runtimePath(), ["--root", root, ...args], {
    encoding: "utf8",
    stdio: stdio === undefined ? ["ignore", "pipe", "pipe"] : [...stdio],
  });
  if (error) throw error;
  return { code: status ?? 255, stdout: stdout ?? "", error: withoutProgram(stderr ?? "") };
}

/** What the last line of what the runtime says means. @param text as on stderr: plain, or a record where that is no terminal */
export function withoutProgram(text: string): string {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  const record = / level=\w+ msg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return record === undefined ? line.replace(/^tsrunc: /, "") : (JSON.parse(record) as string);
}

/** The runtime's view of a container; `null` where it has none, or one of that name that is not this. */
export function runtimeState(store: Store, container: Container): { status: string; pid: number } | null {
  const { code, stdout } = runRuntime(container, ["state", container.name]);
  if (code !== 0) return null;
  const state = JSON.parse(stdout) as { status: string; pid: number; bundle: string };
  return state.bundle === containerPath(store, container.id, "bundle") ? state : null;
}

/** Has the runtime kill and forget a container, if that is this one. */
export function clearInRuntime(store: Store, container: Container): void {
  if (runtimeState(store, container) !== null) runRuntime(container, ["delete", "--force", container.name]);
}

/** Has the runtime kill and forget whatever it has of a container, which is found by its bundle alone: its name may be lost. */
export function deleteByBundle(store: Store, { id }: Named, root: string): void {
  const { code, stdout } = runRuntime({ root }, ["list", "--format", "json"]);
  if (code !== 0) return;
  const all = (JSON.parse(stdout) ?? []) as { id: string; bundle: string }[];
  const bundle = containerPath(store, id, "bundle");
  for (const { id: name } of all.filter((one) => one.bundle === bundle)) {
    const deleted = runRuntime({ root }, ["delete", "--force", name]);
    if (deleted.code !== 0) throw new Error(deleted.error);
  }
}

/** @returns whether it was there to get it @throws {Error} with what the runtime says */
export function sendSignal(store: Store, container: Container, signal: number): boolean {
  const { code, error } = runRuntime(container, ["kill", container.name, `${signal}`]);
  if (code === 0) return true;
  const state = runtimeState(store, container);
  if (state === null || state.status === "stopped") return false;
  throw new Error(error);
}
