/** The runtime, executed on a container. */
import { spawnSync } from "node:child_process";
import { runtimePath } from "../bundle/runtime-path.ts";
import type { Container } from "./record.ts";

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

/** Has the runtime kill and forget containers, also those that it cannot read. @throws {Error} with what the runtime says */
export function deleteInRuntime(root: string, names: readonly string[]): void {
  for (const name of names) {
    const { code, error } = runRuntime({ root }, ["delete", "--force", name]);
    if (code !== 0) throw new Error(error);
  }
}

/** What the runtime has below a `--root`, without what it cannot read; `null` where there is no such place. */
export function listInRuntime(root: string): { id: string; bundle: string; status: string }[] | null {
  const { code, stdout } = runRuntime({ root }, ["list", "--format", "json"]);
  return code === 0 ? ((JSON.parse(stdout) ?? []) as { id: string; bundle: string; status: string }[]) : null;
}
