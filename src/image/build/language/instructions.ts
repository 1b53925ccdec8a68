/** The instructions of a Dockerfile, as they are written: variables are not expanded yet. */
import type { Heredoc } from "./heredoc.ts";
import type { Piece, Position } from "./position.ts";

/** A command: an array that is executed, or a line for the shell. */
export type CommandForm = { kind: "exec"; args: string[] } | { kind: "shell"; line: string };

/** `name=value`, or a name alone. */
export interface Assignment {
  name: Piece;
  value: Piece | null;
}

interface Common {
  at: Position;
  /** As it is written, on one line. */
  text: string;
}

export interface From extends Common {
  kind: "from";
  image: Piece;
  platform: Piece | null;
  /** In lower case. */
  name: string | null;
}

export interface Copy extends Common {
  kind: "copy" | "add";
  from: Piece | null;
  chown: Piece | null;
  chmod: Piece | null;
  link: boolean;
  parents: boolean;
  exclude: Piece[];
  checksum: Piece | null;
  /** `null` where nothing is said. */
  unpack: boolean | null;
  sources: Piece[];
  /** Here-documents among the sources, by the word that stands for them. */
  heredocs: Heredoc[];
  destination: Piece;
}

/** A `--mount` of RUN: its options by name. */
export interface MountFlag {
  at: Piece;
  options: { name: string; value: Piece }[];
}

export interface Run extends Common {
  kind: "run";
  command: CommandForm;
  heredocs: Heredoc[];
  mounts: MountFlag[];
  network: Piece | null;
}

export type HealthcheckTest = { kind: "none" } | { kind: "command"; command: CommandForm };

export type Instruction =
  | From
  | Copy
  | Run
  | (Common & { kind: "arg"; assignments: Assignment[] })
  | (Common & { kind: "env"; assignments: Assignment[] })
  | (Common & { kind: "label"; assignments: Assignment[] })
  | (Common & { kind: "cmd" | "entrypoint"; command: CommandForm })
  | (Common & { kind: "workdir" | "user" | "stopsignal" | "maintainer"; value: Piece })
  | (Common & { kind: "expose" | "volume"; values: Piece[] })
  | (Common & { kind: "shell"; args: string[] })
  | (Common & {
      kind: "healthcheck";
      test: HealthcheckTest;
      /** Nanoseconds. */
      durations: Partial<Record<"Interval" | "Timeout" | "StartPeriod" | "StartInterval", number>>;
      retries: number | null;
    })
  | (Common & {
      kind: "onbuild";
      /** The instruction, with its here-documents, as an image's configuration keeps it. */
      trigger: string;
    });

/** A stage: what is between two FROMs. */
export interface Stage {
  from: From;
  index: number;
  instructions: Exclude<Instruction, From>[];
}

export interface Dockerfile {
  escapeToken: string;
  /** Arguments before the first FROM. */
  globals: Extract<Instruction, { kind: "arg" }>[];
  stages: Stage[];
  warnings: Warning[];
}

export interface Warning {
  at: Position;
  text: string;
  /** What BuildKit calls it, by which the directive `check` knows it; `null` for one that it does not concern. */
  rule: string | null;
}
