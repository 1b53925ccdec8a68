/** Which stages there are, what each is built on and takes from, and which of them are needed. Pure. */

import type { Platform } from "../../store/documents.ts";
import { formatPlatform } from "../../store/platform.ts";
import type { Copy, Dockerfile, From, Run, Stage, Warning } from "../language/instructions.ts";
import { DockerfileError, locating } from "../language/position.ts";
import { Scope } from "./scope.ts";
import type { SourceRef } from "./steps.ts";

/** What a stage begins with. */
export type Base = { kind: "scratch" } | { kind: "stage"; index: number } | { kind: "image"; name: string };

export interface StageNode {
  stage: Stage;
  base: Base;
  /** As written; `null` for the target's. */
  platform: string | null;
  /** Stages that must be built before, by index. */
  needs: number[];
}

export interface Graph {
  dockerfile: Dockerfile;
  /** All stages, in the order of the file. */
  nodes: StageNode[];
  target: number;
  /** Indexes of the stages to be built, in the order of the file. */
  needed: number[];
  /** Values of the arguments before the first FROM. */
  globals: ReadonlyMap<string, string>;
  /** Arguments that are there without a declaration before the first FROM, and in a stage with one. */
  automatic: ReadonlyMap<string, string>;
  contexts: NamedContexts;
  warnings: Warning[];
}

export interface GraphOptions {
  buildArgs: ReadonlyMap<string, string>;
  /** Name or number of a stage; default: the last. */
  target: string | null;
  buildPlatform: Platform;
  targetPlatform: Platform;
  /** What stands for images and stages of these names, in lower case. */
  contexts?: NamedContexts;
}

/** What `--build-context` gives a name: a directory, or an image. */
export type NamedContext = { kind: "directory"; path: string } | { kind: "image"; name: string };
export type NamedContexts = ReadonlyMap<string, NamedContext>;

/** @throws {DockerfileError} @throws {Error} for a target that is not there */
export function planGraph(dockerfile: Dockerfile, options: GraphOptions): Graph {
  const automatic = automaticArguments(dockerfile, options);
  const scope = new Scope(dockerfile.escapeToken, [], automatic);
  const globals = new Map<string, string>();
  for (const { name, value } of dockerfile.globals.flatMap(({ assignments }) => assignments)) {
    const key = scope.expand(name);
    const found = options.buildArgs.get(key) ?? (value === null ? automatic.get(key) : scope.expand(value));
    scope.setArg(key, found);
    if (found !== undefined) globals.set(key, found);
  }
  const contexts = options.contexts ?? new Map();
  const nodes = dockerfile.stages.map((stage) => nodeOf(stage, dockerfile.stages, scope, contexts));
  const target = targetOf(dockerfile.stages, options.target);
  return {
    dockerfile,
    nodes,
    target,
    needed: neededBy(target, nodes),
    globals,
    automatic,
    contexts,
    warnings: [...dockerfile.warnings, ...unused(dockerfile, options.buildArgs, automatic)],
  };
}

function automaticArguments(
  { stages }: Dockerfile,
  { buildPlatform, targetPlatform, target, buildArgs }: GraphOptions,
): Map<string, string> {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ""],
  ];
  const values = new Map([
    ...of("BUILD", buildPlatform),
    ...of("TARGET", targetPlatform),
    ["TARGETSTAGE", target || (stages.at(-1)?.from.name ?? "default")],
  ]);
  // The command line's say counts here, too, and without an ARG: `FROM stage-$TARGETOS`.
  return new Map([...values].map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}

/** What `FROM --platform` asks for. A variable without a value is most often a misspelt one. */
function platformOf({ platform }: Stage["from"], scope: Scope): string | null {
  if (platform === null || platform.text === "") return null;
  const text = scope.expand(platform);
  if (text === "") platform.fail(`--platform=${platform.text}: nothing is left after the variables were put in`);
  return text;
}

function nodeOf(stage: Stage, stages: readonly Stage[], scope: Scope, contexts: NamedContexts): StageNode {
  const { from, index } = stage;
  const image = scope.expand(from.image);
  if (image === "") {
    from.image.fail(
      `FROM ${from.image.text} names no image: give the argument a value: by ARG NAME=value before it, or by --build-arg`,
    );
  }
  const base = baseOf(from, image, index, stages, contexts);
  const platform = platformOf(from, scope);
  const needs = new Set(base.kind === "stage" ? [base.index] : []);
  for (const instruction of stage.instructions) {
    if (instruction.kind === "copy") addNeed(instruction.from?.text, stage, stages, needs, instruction, contexts);
    if (instruction.kind === "run")
      for (const { value } of fromOptions(instruction))
        addNeed(value.text, stage, stages, needs, instruction, contexts);
  }
  return {
    stage,
    base,
    platform,
    needs: [...needs].sort((one, other) => one - other),
  };
}

function fromOptions({ mounts }: Run) {
  return mounts.flatMap(({ options }) => options.filter(({ name }) => name === "from"));
}

function baseOf(from: From, image: string, index: number, stages: readonly Stage[], contexts: NamedContexts): Base {
  const given = contexts.get(image.toLowerCase());
  if (given?.kind === "image")
    return given.name.toLowerCase() === "scratch" ? { kind: "scratch" } : { kind: "image", name: given.name };
  if (given !== undefined)
    from.image.fail(
      `the build context ${JSON.stringify(image)} is a directory, which is no image: docker-image://NAME is right for FROM`,
    );
  if (image.toLowerCase() === "scratch") return { kind: "scratch" };
  const found = findNamed(image, index, stages);
  return found === null ? { kind: "image", name: image } : { kind: "stage", index: found };
}

function addNeed(
  name: string | undefined,
  stage: Stage,
  stages: readonly Stage[],
  needs: Set<number>,
  { at }: Copy | Run,
  contexts: NamedContexts,
): void {
  if (name === undefined) return;
  if (name.toLowerCase() === stage.from.name || name === `${stage.index}`) {
    throw new DockerfileError(at, `the stage ${JSON.stringify(name)} cannot take from itself`);
  }
  if (name === "") throw new DockerfileError(at, "from= is empty: a stage or an image is right");
  const found = findSource(name, stage.index, stages, contexts);
  if (found.kind === "stage") needs.add(found.index);
  else if (found.kind === "image" && findNamed(name, stages.length, stages) !== null)
    throw new DockerfileError(
      at,
      `the stage ${JSON.stringify(name)} comes after this one: only what is before it in the file can be taken from`,
    );
  else if (/^\d+$/.test(name) && found.kind === "image")
    throw new DockerfileError(at, `there is no stage ${name} before this one, which is stage ${stage.index}`);
}

/** The latest earlier stage of a name. */
function findNamed(name: string, before: number, stages: readonly Stage[]): number | null {
  const index = stages.slice(0, before).findLastIndex(({ from }) => from.name === name.toLowerCase());
  return index === -1 ? null : index;
}

/** What `--from` names: an earlier stage by name or number, else an image. */
export function findSource(name: string, before: number, stages: readonly Stage[], contexts: NamedContexts): SourceRef {
  const given = contexts.get(name.toLowerCase());
  if (given !== undefined) return given;
  const named = findNamed(name, before, stages);
  if (named !== null) return { kind: "stage", index: named };
  if (/^\d+$/.test(name) && Number(name) < before) return { kind: "stage", index: Number(name) };
  return { kind: "image", name };
}

function targetOf(stages: readonly Stage[], target: string | null): number {
  if (target === null || target === "") return stages.length - 1;
  const named = findNamed(target, stages.length, stages);
  if (named !== null) return named;
  if (/^\d+$/.test(target) && Number(target) < stages.length) return Number(target);
  const names = stages.map(({ from, index }) => from.name ?? `${index}`).join(", ");
  throw new Error(`--target ${JSON.stringify(target)}: there is no such stage (those there are: ${names})`);
}

function neededBy(target: number, nodes: readonly StageNode[]): number[] {
  const found = new Set<number>();
  const pending = [target];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    pending.push(...(nodes[next] as StageNode).needs);
  }
  return [...found].sort((one, other) => one - other);
}

/** Arguments of the command line that no ARG takes. */
function unused(
  { globals, stages }: Dockerfile,
  buildArgs: ReadonlyMap<string, string>,
  automatic: ReadonlyMap<string, string>,
): Warning[] {
  const declared = new Set(
    [...globals, ...stages.flatMap(({ instructions }) => instructions)]
      .flatMap((instruction) => (instruction.kind === "arg" ? instruction.assignments : []))
      .map(({ name }) => name.text),
  );
  const at = stages[0]?.from.at;
  if (at === undefined) return [];
  return [...buildArgs.keys()]
    .filter((name) => !declared.has(name) && !automatic.has(name) && !PROXIES.test(name) && !isForBuilder(name))
    .map((name) => ({ at, rule: null, text: `--build-arg ${name} is not used: no ARG ${name} takes it` }));
}

/** What is said to the builder itself, and needs no ARG. @see Dockerfile reference, "BuildKit built-in build args" */
function isForBuilder(name: string): boolean {
  return name === "SOURCE_DATE_EPOCH" || name.startsWith("BUILDKIT_");
}

const PROXIES = /^(https?|ftp|no|all)_proxy$/i;

/** @throws {DockerfileError} */
export function locatedPlatform<T>(node: StageNode, act: () => T): T {
  return locating(node.stage.from.platform ?? node.stage.from.image, act);
}
