/** Plans a stage: its instructions as steps, and the configuration that it ends with. Pure: nothing is looked at but the base's configuration. */
import type { ExecutionConfig } from "../../store/documents.ts";
import { parseHeredoc } from "../language/heredoc.ts";
import type { CommandForm, Copy, From, HealthcheckTest, Instruction, Run, Stage } from "../language/instructions.ts";
import { locating, type Piece } from "../language/position.ts";
import { expandWord } from "../language/shell-words.ts";
import { cleanPath } from "../paths/pattern.ts";
import { findSource, type Graph } from "./graph.ts";
import { parseModeChange } from "./mode-change.ts";
import { planMount } from "./mounts.ts";
import { portKeys } from "./ports.ts";
import { PROXY_NAMES, Scope } from "./scope.ts";
import { signalName } from "./signal.ts";
import type { CopyStep, RunMount, RunStep, StagePlan, Step } from "./steps.ts";

/** What a stage is built on. */
export interface StageBase {
  config: ExecutionConfig;
  author: string | null;
  /** Arguments of a base that is a stage. */
  args: ReadonlyMap<string, string>;
  /** ONBUILD instructions of the base, as instructions. */
  triggers: readonly Exclude<Instruction, From>[];
}

export interface StageOptions {
  buildArgs: ReadonlyMap<string, string>;
  network: "default" | "none" | "host";
}

const DEFAULT_SHELL = ["/bin/sh", "-c"];
const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** @throws {DockerfileError} */
export function planStage(stage: Stage, base: StageBase, graph: Graph, options: StageOptions): StagePlan {
  const planner = new StagePlanner(stage, base, graph, options);
  for (const instruction of [...base.triggers, ...stage.instructions]) planner.add(instruction);
  return planner.plan();
}

class StagePlanner {
  readonly #steps: Step[] = [];
  readonly #config: ExecutionConfig;
  readonly #scope: Scope;
  readonly #stages: readonly Stage[];
  /** Names of arguments that were declared, in order: for the history. */
  readonly #declared: string[] = [];
  #author: string | null;
  #hasCommand = false;

  constructor(
    readonly stage: Stage,
    base: StageBase,
    readonly graph: Graph,
    readonly options: StageOptions,
  ) {
    // ONBUILD is for direct children alone.
    const { OnBuild: _, ...config } = base.config;
    const env = config.Env ?? [];
    this.#config = { ...config, Env: env.some((one) => one.startsWith("PATH=")) ? env : [DEFAULT_PATH, ...env] };
    this.#scope = new Scope(graph.dockerfile.escapeToken, this.#config.Env ?? [], base.args);
    this.#author = base.author;
    this.#stages = graph.dockerfile.stages;
  }

  plan(): StagePlan {
    return { steps: this.#steps, config: this.#config, author: this.#author, args: this.#scope.args };
  }

  add(instruction: Exclude<Instruction, From>): void {
    const scope = this.#scope;
    const config = this.#config;
    switch (instruction.kind) {
      case "arg":
        return this.#arg(instruction);
      case "run":
        return void this.#steps.push(this.#run(instruction));
      case "copy":
      case "add":
        return void this.#steps.push(this.#copy(instruction));
      case "workdir":
        return this.#workdir(instruction);
      case "env": {
        const pairs = instruction.assignments.map(
          ({ name, value }) => [name, this.#named(name), value ? scope.expand(value) : ""] as const,
        );
        for (const [piece, name] of pairs) if (name === "") piece.fail("ENV: the name is empty");
        scope.setEnv(pairs.map(([, name, value]) => [name, value] as const));
        config.Env = scope.env;
        break;
      }
      case "label": {
        const labels = instruction.assignments.map(({ name, value }) => [
          this.#named(name),
          value ? scope.expand(value) : "",
        ]);
        config.Labels = { ...config.Labels, ...Object.fromEntries(labels) };
        break;
      }
      case "cmd":
        config.Cmd = this.#command(instruction.command);
        this.#hasCommand = true;
        break;
      case "entrypoint":
        config.Entrypoint = this.#command(instruction.command);
        // The base's CMD was for another entrypoint.
        if (!this.#hasCommand) config.Cmd = null;
        break;
      case "user":
        config.User = this.#needed(instruction.value, "USER");
        break;
      case "stopsignal": {
        const { value } = instruction;
        config.StopSignal = locating(value, () => signalName(this.#needed(value, "STOPSIGNAL")));
        break;
      }
      case "maintainer":
        // Prose: no variables, and an apostrophe is one.
        this.#author = instruction.value.text;
        break;
      case "expose":
        for (const piece of instruction.values) {
          const keys = locating(piece, () => scope.expandAll(piece).flatMap(portKeys));
          config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(keys.map((key) => [key, {}])) };
        }
        break;
      case "volume": {
        const paths = instruction.values.map((piece) => this.#needed(piece, "VOLUME"));
        config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
        break;
      }
      case "shell":
        config.Shell = instruction.args;
        break;
      case "healthcheck":
        config.Healthcheck = {
          Test: this.#test(instruction.test),
          ...instruction.durations,
          ...(instruction.retries === null ? {} : { Retries: instruction.retries }),
        };
        break;
      case "onbuild":
        config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
        break;
    }
    this.#steps.push({ kind: "config", at: instruction.at, text: instruction.text, history: instruction.text });
  }

  /** The name of a label or variable. */
  #named(piece: Piece): string {
    return this.#scope.expand(piece);
  }

  #needed(piece: Piece, keyword: string): string {
    const value = this.#scope.expand(piece);
    return value === ""
      ? piece.fail(`${keyword} ${piece.text}: nothing is left after the variables were put in`)
      : value;
  }

  get #shell(): string[] {
    return this.#config.Shell ?? DEFAULT_SHELL;
  }

  #command(command: CommandForm): string[] {
    return command.kind === "exec" ? command.args : [...this.#shell, command.line];
  }

  #test(test: HealthcheckTest): string[] {
    if (test.kind === "none") return ["NONE"];
    return test.command.kind === "exec" ? ["CMD", ...test.command.args] : ["CMD-SHELL", test.command.line];
  }

  #arg(instruction: Extract<Instruction, { kind: "arg" }>): void {
    const { globals, automatic } = this.graph;
    for (const { name, value } of instruction.assignments) {
      const key = this.#scope.expand(name);
      const initial = () => (value === null ? (globals.get(key) ?? automatic.get(key)) : this.#scope.expand(value));
      // A default that is not needed may be wrong: `ARG A=${B:?A or B must be given}`.
      this.#scope.setArg(key, this.options.buildArgs.get(key) ?? initial());
      if (!this.#declared.includes(key)) this.#declared.push(key);
    }
    this.#steps.push({ kind: "config", at: instruction.at, text: instruction.text, history: instruction.text });
  }

  #workdir({ value, at, text }: { value: Piece; at: Step["at"]; text: string }): void {
    const given = this.#needed(value, "WORKDIR");
    const path = cleanPath(given.startsWith("/") ? given : `${this.#config.WorkingDir || "/"}/${given}`);
    this.#config.WorkingDir = path;
    this.#steps.push({ kind: "workdir", at, text, history: `WORKDIR ${path}`, path, user: this.#config.User ?? "" });
  }

  #run({ at, text, command, heredocs, mounts, network }: Run): RunStep {
    const cwd = this.#config.WorkingDir || "/";
    const single =
      command.kind === "shell" && heredocs.length === 1
        ? parseHeredoc(command.line, this.graph.dockerfile.escapeToken)
        : null;
    const document = heredocs[0];
    let args = this.#command(command);
    let script: string | null = null;
    if (command.kind === "shell" && document !== undefined) {
      if (single !== null && document.content.startsWith("#!")) {
        script = document.content;
        args = [`/dev/pipes/${document.name}`];
      } else if (single !== null) args = [...this.#shell, document.content];
      else
        args = [...this.#shell, [command.line, ...heredocs.map(({ content, name }) => `${content}${name}`)].join("\n")];
    }
    const values = this.#declared.flatMap((name) => {
      const value = this.#scope.args.get(name);
      return value === undefined ? [] : [`${name}=${value}`];
    });
    const history = `RUN ${values.length > 0 ? `|${values.length} ${values.join(" ")} ` : ""}${args.join(" ")}`;
    const declared = new Set(this.#declared);
    return {
      kind: "run",
      at,
      text,
      history,
      args,
      script,
      env: this.#scope.all,
      proxies: [...this.options.buildArgs]
        .filter(([name]) => PROXY_NAMES.has(name) && !declared.has(name))
        .map(([name, value]) => `${name}=${value}`),
      cwd,
      user: this.#config.User ?? "",
      network: (network?.text as RunStep["network"] | undefined) ?? this.options.network,
      mounts: this.#mounts(mounts, cwd),
    };
  }

  #mounts(flags: Run["mounts"], cwd: string): RunMount[] {
    const planned: RunMount[] = [];
    for (const flag of flags) {
      const agents = planned.filter(({ type }) => type === "ssh").length;
      planned.push(planMount(flag, { stage: this.stage, ...this.graph }, this.#scope, { cwd, agents }));
    }
    return planned;
  }

  #copy(copy: Copy): CopyStep {
    const scope = this.#scope;
    const instruction = copy.kind === "add" ? "ADD" : "COPY";
    const written = this.#needed(copy.destination, instruction);
    const isDirectory = /(^|\/)\.?\.?$/.test(written);
    const path = cleanPath(written.startsWith("/") ? written : `${this.#config.WorkingDir || "/"}/${written}`);
    const destination = isDirectory && path !== "/" ? `${path}/` : path;
    // A flag of nothing is as none, as in BuildKit: `--chown=$OWNER` where OWNER is empty.
    const optional = (piece: Piece | null) => (piece === null ? null : scope.expand(piece) || null);
    const at = copy.at;
    return {
      kind: "copy",
      at,
      text: copy.text,
      history: copy.text,
      instruction,
      from:
        copy.from === null
          ? { kind: "context" }
          : findSource(copy.from.text, this.stage.index, this.#stages, this.graph.contexts),
      sources: copy.sources.map((piece) => ({ text: this.#needed(piece, instruction), at: piece.at() })),
      files: copy.heredocs.map(({ name, content, expands }) => ({
        name,
        content: expands ? locating(copy.destination, () => expandContent(content, scope)) : content,
      })),
      destination,
      chown: optional(copy.chown),
      chmod: checkedBy(copy.chmod, optional(copy.chmod), parseModeChange),
      parents: copy.parents,
      exclude: copy.exclude.map((piece) => scope.expand(piece)),
      checksum: checkedBy(copy.checksum, optional(copy.checksum), checkChecksum),
      unpack: copy.kind === "copy" || copy.unpack === false ? "none" : copy.unpack === true ? "all" : "local",
    };
  }
}

/** A flag's value, of which is known already whether it can be one. @throws {DockerfileError} at the flag */
function checkedBy(piece: Piece | null, value: string | null, check: (value: string) => unknown): string | null {
  if (piece !== null && value !== null) locating(piece, () => check(value));
  return value;
}

function checkChecksum(text: string): void {
  if (!/^sha256:[0-9a-f]{64}$/.test(text))
    throw new Error(`--checksum=${text}: sha256: and 64 digits of 0-9 and a-f are right`);
}

/** Puts variables into a here-document: quotes of both kinds stay, an escaped dollar is one. */
function expandContent(content: string, { lookup, escapeToken }: Scope): string {
  return expandWord(content, { lookup, escapeToken, keepQuotes: true });
}
