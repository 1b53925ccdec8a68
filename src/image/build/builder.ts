/** What a build's directory, below `snapshots/bundles/`, says of who builds: for `killed.ts`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "../../sys/path-names.ts";
import { identify, isAlive } from "../containers/process.ts";
import type { ProcessIdentity } from "../containers/record.ts";
import { snapshotsPath } from "../snapshot/directories.ts";
import type { Store } from "../store/store.ts";

const BUILDER = "build.json";
/** Ids of the containers that a build has made, a line each. */
export const RUNS = "runs";
/** In the directory of a step: the process that connects its network. */
export const PASTA = "pasta.pid";

export interface Builder {
  process: ProcessIdentity;
  /** Global options for the runtime, such as `--root`. */
  runtimeArgs: string[];
}

/** Writes down whose a build's directory is. */
export function noteBuilder(directory: string, runtimeArgs: readonly string[]): void {
  writeFileSync(join(directory, BUILDER), JSON.stringify({ process: identify(process.pid), runtimeArgs }), {
    mode: 0o600,
  });
}

/** @returns `null` for a builder that lives, and for what is no build */
export function killedBuilder(directory: string): Builder | null {
  try {
    const builder = JSON.parse(readFileSync(join(directory, BUILDER), "utf8")) as Builder;
    return isAlive(builder.process) ? null : builder;
  } catch {
    return null;
  }
}

/** The directories of builds that were killed. */
export function killedBuilds(store: Store): string[] {
  const bundles = snapshotsPath(store, "bundles");
  return readdirSync(bundles)
    .map((name) => join(bundles, name))
    .filter((directory) => killedBuilder(directory) !== null);
}
