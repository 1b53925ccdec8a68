/** Which checks a run wants: the command line hands it on by environment variables, which reach vitest's workers. */
import { readFileSync } from "node:fs";
import type { Level } from "../spec/requirements.ts";

/** Names of the environment variables between the command line and the checks. */
export const VARIABLES = {
  /** Path of the runtime under test; set for each vitest project. */
  runtime: "CONFORMANCE_RUNTIME",
  /** Paths of all of them, a line each. */
  runtimes: "CONFORMANCE_RUNTIMES",
  level: "CONFORMANCE_LEVEL",
  only: "CONFORMANCE_ONLY",
  keep: "CONFORMANCE_KEEP",
  busybox: "CONFORMANCE_BUSYBOX",
  /** A JSON file: titles of checks to the reasons why a runtime deviates on purpose. */
  deviations: "CONFORMANCE_DEVIATIONS",
  /** A file for the list of checks, a JSON object a line; nothing is checked then. */
  list: "CONFORMANCE_LIST",
} as const;

const ORDER: readonly (Level | "convention")[] = ["MUST", "SHOULD", "MAY", "convention"];

/** Whether a check of this level and title is wanted: the level or a stricter one, and `--only` in its title. */
export function selects(level: Level | "convention", title: string): boolean {
  const least = process.env[VARIABLES.level];
  if (least !== undefined && ORDER.indexOf(level) > ORDER.indexOf(least as Level)) return false;
  const only = process.env[VARIABLES.only];
  return only === undefined || title.toLowerCase().includes(only.toLowerCase());
}

/** Absolute paths of the runtimes under test. */
export function runtimesUnderTest(): string[] {
  return (process.env[VARIABLES.runtimes] ?? "").split("\n").filter((path) => path !== "");
}

/** Why the runtime deviates on purpose where this check looks; `undefined` when it does not say so. */
export function deviation(title: string): string | undefined {
  const file = process.env[VARIABLES.deviations];
  return file === undefined ? undefined : (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>)[title];
}
