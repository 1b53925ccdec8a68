/** A stage's instructions as steps: what will be done, as plain data, with all variables expanded. */
import type { ExecutionConfig } from "../../store/documents.ts";
import type { Position } from "../language/position.ts";

/** Where files come from. */
export type SourceRef =
  | { kind: "context" }
  /** An earlier stage, by its index. */
  | { kind: "stage"; index: number }
  | { kind: "image"; name: string }
  /** A directory of the caller's, by `--build-context`: a jail like the context. */
  | { kind: "directory"; path: string };

interface Common {
  at: Position;
  /** As it is written. */
  text: string;
  /** For the image's history: with arguments and shell. */
  history: string;
}

/** A file that a here-document is. */
export interface InlineFile {
  name: string;
  content: string;
}

export interface CopyStep extends Common {
  kind: "copy";
  instruction: "COPY" | "ADD";
  from: SourceRef;
  /** Paths or patterns in the source; or of ADD, URLs. */
  sources: { text: string; at: Position }[];
  files: InlineFile[];
  /** Absolute; ends with a slash where it names a directory. */
  destination: string;
  /** `user[:group]` */
  chown: string | null;
  /** Octal digits, or words of chmod(1). */
  chmod: string | null;
  parents: boolean;
  exclude: string[];
  /** Of a URL: `sha256:…`. */
  checksum: string | null;
  /** Whether archives are unpacked: local ones, those of URLs too, or none. */
  unpack: "local" | "all" | "none";
}

/** Something that is there while a command runs, and no part of the layer. */
export type RunMount = { at: Position; target: string; readOnly: boolean } & (
  | { type: "bind"; from: SourceRef; source: string }
  | {
      type: "cache";
      id: string;
      sharing: "shared" | "private" | "locked";
      from: SourceRef | null;
      source: string;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: "tmpfs"; size: number | null }
  | { type: "ssh"; id: string; required: boolean; mode: number; uid: number; gid: number }
  | {
      type: "secret";
      id: string;
      /** A variable that has it, beside or instead of a file. */
      env: string | null;
      /** Whether it is a file, too. */
      isFile: boolean;
      required: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
);

export interface RunStep extends Common {
  kind: "run";
  args: string[];
  /** A script that is executed as `args[0]`: a here-document that says its own interpreter. */
  script: string | null;
  /** `name=value`: what is in the cache's key, and what is not (proxies). */
  env: string[];
  proxies: string[];
  cwd: string;
  user: string;
  network: "default" | "none" | "host";
  mounts: RunMount[];
}

export type Step =
  | CopyStep
  | RunStep
  /** A directory that must be there. */
  | (Common & { kind: "workdir"; path: string; user: string })
  /** Nothing but configuration. */
  | (Common & { kind: "config" });

/** What a stage does, and the configuration that it ends with. */
export interface StagePlan {
  steps: Step[];
  config: ExecutionConfig;
  author: string | null;
  /** What stages built on it see of its arguments. */
  args: ReadonlyMap<string, string>;
}

/** One line a step, for `--explain` and `--debug`. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "copy": {
      const what = [...step.sources.map(({ text }) => text), ...step.files.map(({ name }) => `<<${name}`)].join(" ");
      const extra = [
        ...(step.chown === null ? [] : [`owner ${step.chown}`]),
        ...(step.chmod === null ? [] : [`mode ${step.chmod}`]),
        ...(step.exclude.length === 0 ? [] : [`without ${step.exclude.join(" ")}`]),
      ];
      return `copy ${what} from ${describeSource(step.from)} to ${step.destination}${extra.length > 0 ? ` (${extra.join(", ")})` : ""}`;
    }
    case "run": {
      const mounts = step.mounts.map(({ type, target }) => `, ${type} on ${target}`).join("");
      return `run ${JSON.stringify(step.args)} in ${step.cwd} as ${step.user || "root"}, network ${step.network}${mounts}`;
    }
    case "workdir":
      return `make the directory ${step.path} if it is missing`;
    case "config":
      return `change the configuration: ${step.text}`;
  }
}

/** Where files come from, in words. */
export function describeSource(source: SourceRef): string {
  switch (source.kind) {
    case "context":
      return "the context";
    case "stage":
      return `stage ${source.index}`;
    case "image":
      return `the image ${source.name}`;
    case "directory":
      return `the build context ${source.path}`;
  }
}
