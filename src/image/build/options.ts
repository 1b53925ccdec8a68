/** What a person may say about a build. */
import type { RegistryOptions } from "../operations/pull.ts";
import type { Reporter } from "../progress/reporter.ts";
import type { Platform } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import type { NamedContexts } from "./plan/graph.ts";
import type { BuildProgress } from "./progress.ts";

/** Where a secret comes from. */
export type SecretSource = { kind: "file"; path: string } | { kind: "env"; name: string };

/** Where the result goes beside the store. */
export type Output =
  | { kind: "directory"; path: string }
  | { kind: "tar"; path: string }
  | { kind: "archive"; format: "oci-archive" | "docker-archive"; path: string };

export interface BuildOptions {
  store: Store;
  /** A directory, or `-` for a tar archive on stdin. */
  context: string;
  /** Path of the Dockerfile; `-` for stdin; default: `Dockerfile` in the context. */
  file: string | null;
  tags: readonly string[];
  buildArgs: ReadonlyMap<string, string>;
  target: string | null;
  labels: ReadonlyMap<string, string>;
  secrets: ReadonlyMap<string, SecretSource>;
  /** Sockets of ssh agents, by what RUN calls them. */
  ssh: ReadonlyMap<string, string>;
  contexts: NamedContexts;
  platform: Platform | null;
  network: "default" | "none" | "host";
  noCache: boolean;
  pull: boolean;
  squash: boolean;
  compression: "gzip" | "zstd";
  /** Seconds since 1970. */
  sourceDateEpoch: number | null;
  /** Receives the image's digest. */
  iidFile: string | null;
  output: Output | null;
  registry: RegistryOptions;
  /** Global options for the runtime, such as `--root`. */
  runtimeArgs: readonly string[];
  progress: BuildProgress;
  reporter: Reporter;
  /** Ends the build early. */
  signal: AbortSignal;
}
