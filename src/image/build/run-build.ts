/** A build as a command: what is shown, and how signals end it. */
import { buildImage, explainBuild } from "./build.ts";
import { JsonProgress } from "./json-progress.ts";
import type { BuildOptions } from "./options.ts";
import { type BuildProgress, PlainProgress, QuietProgress } from "./progress.ts";
import { TerminalProgress } from "./terminal-progress.ts";

export interface BuildRequest extends Omit<BuildOptions, "progress" | "signal"> {
  progress: "auto" | "plain" | "tty" | "json" | "quiet";
  /** Whether nothing is done. */
  explain: boolean;
}

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @returns lines for stdout: the image's id, or the plan */
export async function runBuild({ progress: kind, explain, ...request }: BuildRequest): Promise<string[]> {
  // Files and directories get their modes from what is built, not from the caller.
  process.umask(0o022);
  const controller = new AbortController();
  const end = (name: NodeJS.Signals) => controller.abort(new Error(`ended by ${name}`));
  for (const name of ENDING) process.on(name, end);
  const progress = progressOf(kind);
  const options = { ...request, progress, signal: controller.signal };
  try {
    return explain ? await explainBuild(options) : [(await buildImage(options)).id];
  } finally {
    progress.end();
    for (const name of ENDING) process.off(name, end);
  }
}

function progressOf(kind: BuildRequest["progress"]): BuildProgress {
  const { stderr } = process;
  if (kind === "json") return new JsonProgress(stderr);
  if (kind === "quiet") return new QuietProgress(stderr);
  const isTerminal = kind === "tty" || (kind === "auto" && stderr.isTTY);
  return isTerminal ? new TerminalProgress(stderr) : new PlainProgress(stderr);
}
