/**
 * `image build`: a Dockerfile becomes an image.
 *
 * It is read (`language/`), planned (`plan/`: which stages are needed, and each one's steps, as plain data), and carried out (`execute/`). Stages
 * that do not need each other are built side by side.
 */
import { writeFileSync } from "node:fs";
import { parseName } from "../reference/reference.ts";
import { DEFAULT_PATIENCE } from "../registry/retry.ts";
import type { Digest } from "../store/digest.ts";
import type { ExecutionConfig, HistoryEntry, Platform } from "../store/documents.ts";
import { putImage } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { hostPlatform, parsePlatform } from "../store/platform.ts";
import type { Image, Layer } from "../store/resolve.ts";
import { BaseImages } from "./base-images.ts";
import { type OpenContext, openContext } from "./context.ts";
import type { StepResult } from "./execute/cache.ts";
import { type LayeredSource, Sources } from "./execute/sources.ts";
import { Workspace } from "./execute/workspace.ts";
import { historyOfBase, putImageDocuments } from "./image.ts";
import { parseDockerfile, parseTrigger } from "./language/parse.ts";
import { DockerfileError } from "./language/position.ts";
import { memoized } from "./memoized.ts";
import type { BuildOptions } from "./options.ts";
import { checkOutputs } from "./output-paths.ts";
import { withoutPasswords } from "./passwords.ts";
import { type Graph, planGraph, type StageNode } from "./plan/graph.ts";
import { planStage } from "./plan/stage.ts";
import { describeStep, type StagePlan } from "./plan/steps.ts";
import { buildSteps, type StageState } from "./stage-build.ts";

/** A stage that was planned, and what it is built on. */
interface Prepared {
  plan: StagePlan;
  base: StageState;
  platform: Platform;
  /** How many of the layers are the base image's. */
  baseLayers: number;
}

/** A stage that was built. */
interface Built extends Prepared {
  state: StageState;
}

/** @returns the id of the image: the digest of its configuration @throws {DockerfileError} @throws {Error} */
export async function buildImage(options: BuildOptions): Promise<{ id: Digest }> {
  const tags = options.tags.map(parseName);
  checkOutputs(options);
  using lease = await Lease.take(options.store);
  using workspace = await Workspace.open(lease, options.runtimeArgs);
  using context = await openContext(options.context, options.file, () => workspace.directory());
  const build = new Build(options, workspace, context);
  for (const { at, text } of build.graph.warnings) options.progress.warn(`${at.file}:${at.line}:${at.column}: ${text}`);
  const built = await build.target();
  options.signal.throwIfAborted();
  const { plan, platform, baseLayers } = built;
  const state = options.squash
    ? await (await import("./squash.ts")).squashed(built.state, baseLayers, workspace, build.layerOptions)
    : built.state;
  const config = withLabels(plan.config, options.labels);
  const created = state.created ?? build.now();
  const { descriptor, id } = await putImageDocuments(lease, {
    ...state,
    config,
    author: plan.author,
    created,
    platform,
  });
  if (options.output !== null) {
    const { writeOutput } = await import("./output.ts");
    await writeOutput(options, options.output, state.layers, descriptor, tags, workspace);
  }
  options.signal.throwIfAborted();
  for (const tag of tags.length > 0 ? tags : [null]) await putImage(options.store, tag, descriptor);
  if (options.iidFile !== null) writeFileSync(options.iidFile, id, { mode: 0o644 });
  return { id };
}

/** What would be done, a line a step. @throws {DockerfileError} */
export async function explainBuild(options: BuildOptions): Promise<string[]> {
  using lease = await Lease.take(options.store);
  using workspace = await Workspace.open(lease, options.runtimeArgs);
  using context = await openContext(options.context, options.file, () => workspace.directory());
  const build = new Build(options, workspace, context);
  const lines: string[] = [];
  for (const node of build.graph.nodes) {
    const { from, index } = node.stage;
    const name = from.name === null ? `stage ${index}` : `stage ${index} (${from.name})`;
    if (!build.graph.needed.includes(index)) lines.push(`${name}: not needed`);
    else {
      const { plan } = await build.prepared(index);
      lines.push(
        `${name}: ${from.text}`,
        ...plan.steps.map((step) => `  ${step.at.file}:${step.at.line}: ${withoutPasswords(describeStep(step))}`),
      );
    }
  }
  return lines;
}

function withLabels(config: ExecutionConfig, labels: ReadonlyMap<string, string>): ExecutionConfig {
  return labels.size === 0 ? config : { ...config, Labels: { ...config.Labels, ...Object.fromEntries(labels) } };
}

class Build {
  readonly graph: Graph;
  readonly #sources: Sources;
  readonly #prepared = new Map<number, Promise<Prepared>>();
  readonly #built = new Map<number, Promise<Built>>();
  readonly #images: BaseImages;
  readonly #atWork = new Map<string, Promise<StepResult>>();
  /** Ends the other stages when one fails. */
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #platform: Platform;

  constructor(
    readonly options: BuildOptions,
    readonly workspace: Workspace,
    readonly context: OpenContext,
  ) {
    this.#platform = options.platform ?? hostPlatform();
    this.#images = new BaseImages(options, workspace.lease);
    this.#signal = AbortSignal.any([options.signal, this.#stop.signal]);
    const dockerfile = parseDockerfile(context.dockerfile.text, context.dockerfile.name);
    this.graph = planGraph(dockerfile, {
      buildArgs: options.buildArgs,
      target: options.target,
      buildPlatform: hostPlatform(),
      targetPlatform: this.#platform,
      contexts: options.contexts,
    });
    this.#sources = new Sources(
      workspace,
      async () => context.tree,
      (source) => this.#layersOf(source),
    );
  }

  get layerOptions() {
    const { compression, sourceDateEpoch } = this.options;
    return { compression, sourceDateEpoch };
  }

  now(): string {
    const { sourceDateEpoch } = this.options;
    return new Date(sourceDateEpoch === null ? Date.now() : sourceDateEpoch * 1000).toISOString();
  }

  /** Builds the target, and what it needs. All stages have ended, one way or another, when this returns. */
  async target(): Promise<Built> {
    const { needed, target } = this.graph;
    const all = await Promise.allSettled(needed.map((index) => this.#stage(index)));
    this.options.signal.throwIfAborted();
    const failed = all.find((one) => one.status === "rejected" && one.reason !== this.#stop.signal.reason);
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
    return this.#stage(target);
  }

  #stage(index: number): Promise<Built> {
    return memoized(this.#built, index, async () => {
      try {
        return await this.#build(index);
      } catch (error) {
        this.#stop.abort(new Error("another stage failed"));
        throw error;
      }
    });
  }

  async #build(index: number): Promise<Built> {
    const prepared = await this.prepared(index);
    const { stage } = this.graph.nodes[index] as StageNode;
    const name = this.graph.nodes.length === 1 ? "" : `${stage.from.name ?? `stage ${index}`} `;
    const { options } = this;
    const state = await buildSteps(prepared.plan.steps, await this.#baseState(index, prepared), {
      workspace: this.workspace,
      sources: this.#sources,
      secrets: options.secrets,
      ssh: options.ssh,
      hostname: options.buildArgs.get("BUILDKIT_SANDBOX_HOSTNAME") ?? "build",
      platform: prepared.platform,
      runtimeArgs: options.runtimeArgs,
      signal: this.#signal,
      layerOptions: this.layerOptions,
      noCache: options.noCache,
      patience: (options.registry.patience ?? DEFAULT_PATIENCE).stall,
      atWork: this.#atWork,
      progress: options.progress,
      label: (position) => `[${name}${position}/${prepared.plan.steps.length}]`,
    });
    return { ...prepared, state };
  }

  async #baseState(index: number, { base }: Prepared): Promise<StageState> {
    const node = this.graph.nodes[index] as StageNode;
    return node.base.kind === "stage" ? (await this.#stage(node.base.index)).state : base;
  }

  /** Plans a stage, for which the configuration of its base must be known. */
  prepared(index: number): Promise<Prepared> {
    return memoized(this.#prepared, index, () => this.#prepare(this.graph.nodes[index] as StageNode));
  }

  async #prepare(node: StageNode): Promise<Prepared> {
    const { stage, base } = node;
    const wanted =
      node.platform === null
        ? this.options.platform
        : this.#located(node, () => parsePlatform(node.platform as string));
    const from = await this.#base(node, wanted);
    const { OnBuild: onBuild } = from.config;
    const triggers = (onBuild ?? []).map((text) =>
      parseTrigger(text, base.kind === "image" ? base.name : "the stage", this.graph.dockerfile.escapeToken),
    );
    const plan = planStage(stage, { ...from, triggers }, this.graph, this.options);
    return { plan, base: from.state, platform: from.platform, baseLayers: from.baseLayers };
  }

  /** @param wanted what somebody has asked for; `null`: a stage has the platform of what it is made from, as in BuildKit */
  async #base({ stage, base }: StageNode, wanted: Platform | null) {
    if (base.kind === "scratch")
      return {
        config: {},
        author: null,
        args: NONE,
        platform: wanted ?? this.#platform,
        state: { layers: [], history: [] as HistoryEntry[], created: null },
        baseLayers: 0,
      };
    if (base.kind === "stage") {
      const { plan, base: state, platform, baseLayers } = await this.prepared(base.index);
      return { ...plan, platform, state, baseLayers };
    }
    try {
      const image = await this.#images.get(base.name, wanted);
      const { config } = image;
      const state = { layers: image.layers, history: historyOfBase(config), created: config.created ?? null };
      return {
        config: config.config ?? {},
        author: config.author || null,
        args: NONE,
        platform: wanted ?? platformOf(image),
        state,
        baseLayers: image.layers.length,
      };
    } catch (error) {
      this.#signal.throwIfAborted();
      const { image } = stage.from;
      const became = image.text === base.name ? "" : `FROM ${image.text} becomes ${JSON.stringify(base.name)}: `;
      throw new DockerfileError(image.at(), `${became}${(error as Error).message}`);
    }
  }

  #located<T>({ stage }: StageNode, act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw new DockerfileError((stage.from.platform ?? stage.from.image).at(), (error as Error).message);
    }
  }

  async #layersOf(source: LayeredSource): Promise<readonly Layer[]> {
    if (source.kind === "stage") return (await this.#stage(source.index)).state.layers;
    if (source.name.toLowerCase() === "scratch") return [];
    return (await this.#images.get(source.name, this.options.platform)).layers;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

/** An image's configuration may leave its variant to the index that lists it. */
function platformOf({ config: { os, architecture, variant }, descriptor }: Image): Platform {
  const own = variant || descriptor.platform?.variant;
  return { os, architecture, ...(own ? { variant: own } : {}) };
}
