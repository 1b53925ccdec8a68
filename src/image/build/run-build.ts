/** A build as a command: what is shown, and how signals end it. */
import { isStderrTerminal } from "../progress/stderr.ts";
import { buildImage, explainBuild } from "./build.ts";
import type { BuildOptions } from "./options.ts";
import { type BuildProgress, PlainProgress, QuietProgress } from "./progress.ts";

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
  const progress = await progressOf(kind);
  const options = { ...request, progress, signal: controller.signal };
  try {
    return explain ? await explainBuild(options) : [(await buildImage(options)).id];
  } finally {
    progress.end();
    for (const name of ENDING) process.off(name, end);
  }
}

async function progressOf(kind: BuildRequest["progress"]): Promise<BuildProgress> {
  if (kind === "json") return new (await import("./json-progress.ts")).JsonProgress();
  if (kind === "quiet") return new QuietProgress();
  const isTerminal = kind === "tty" || (kind === "auto" && isStderrTerminal());
  if (!isTerminal) return new PlainProgress();
  return new (await import("./terminal-progress.ts")).TerminalProgress(process.stderr);
}
