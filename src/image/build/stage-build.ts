/**
 * Builds one stage: its steps in their order, each from the cache or carried out. What carries them out is loaded when something is: most
 * builds change little.
 */
import { chainIds } from "../snapshot/chain.ts";
import type { HistoryEntry } from "../store/documents.ts";
import type { Layer } from "../store/resolve.ts";
import { digestOfBinds } from "./execute/binds.ts";
import { cacheKey, claimResult, findResult, keepResult, type StepResult } from "./execute/cache.ts";
import type { LayerOptions, MountedLayers } from "./execute/mounted-layers.ts";
import type { RunContext } from "./execute/run-step.ts";
import { DockerfileError } from "./language/position.ts";
import { withoutPasswords } from "./passwords.ts";
import type { CopyStep, RunStep, Step } from "./plan/steps.ts";
import type { BuildProgress, StepTask } from "./progress.ts";

export interface StageContext extends RunContext {
  layerOptions: LayerOptions;
  noCache: boolean;
  /** Of downloads, in milliseconds. */
  patience: number;
  /** Steps at work, of all stages, by their keys: the same step of two stages is carried out once. */
  atWork: Map<string, Promise<StepResult>>;
  progress: BuildProgress;
  /** `[name 2/5]` */
  label(position: number): string;
}

/** What a stage has come to. */
export interface StageState {
  layers: readonly Layer[];
  history: readonly HistoryEntry[];
  /** RFC 3339; `null` before the first step of an image made from nothing. */
  created: string | null;
}

/** @throws {DockerfileError} */
export async function buildSteps(steps: readonly Step[], base: StageState, context: StageContext): Promise<StageState> {
  let state = base;
  let before = cacheKey("base", parentOf(base), context.platform, base.created);
  for (const [index, step] of steps.entries()) {
    context.signal.throwIfAborted();
    const task = context.progress.begin(`${context.label(index + 1)} ${withoutPasswords(step.text)}`);
    try {
      const { result, isCached } = await resultOf(step, state, before, context, task);
      before = cacheKey(before, step.history);
      state = after(state, step, result);
      task.done(isCached ? "cached" : "done");
    } catch (error) {
      task.done("failed");
      context.signal.throwIfAborted();
      throw located(step, error);
    }
  }
  return state;
}

function parentOf({ layers }: StageState): string {
  return chainIds(layers.map(({ diffId }) => diffId)).at(-1) ?? "scratch";
}

function after(state: StageState, step: Step, { layer, created }: StepResult): StageState {
  const entry: HistoryEntry = {
    created,
    created_by: step.kind === "copy" ? withoutPasswords(step.history) : step.history,
    comment: "tsrunc image build",
  };
  return {
    layers: layer === null ? state.layers : [...state.layers, layer],
    history: [...state.history, layer === null ? { ...entry, empty_layer: true } : entry],
    created,
  };
}

async function resultOf(
  step: Step,
  state: StageState,
  before: string,
  context: StageContext,
  task: StepTask,
): Promise<{ result: StepResult; isCached: boolean }> {
  const { lease } = context.workspace;
  const parent = step.kind === "config" ? before : parentOf(state);
  const common = [parent, context.layerOptions, context.platform];
  switch (step.kind) {
    case "config":
      return cached(context, cacheKey(...common, step.history), async () => null);
    case "workdir":
      return cached(context, cacheKey(...common, "workdir", step.path, step.user), () =>
        changed(state, context, async (mounted) =>
          (await import("./execute/workdir-step.ts")).makeWorkdir(step, mounted),
        ),
      );
    case "run":
      return cached(context, cacheKey(...common, runKey(step), await digestOfBinds(step, context.sources)), () =>
        changed(state, context, async (mounted) =>
          (await import("./execute/run-step.ts")).runStep(step, mounted, context, task),
        ),
      );
    case "copy": {
      const identity = await context.sources.identity(step.from);
      const isPlain = !step.sources.some(({ text }) => /^https?:/i.test(text));
      // Files of the same layers are the same: they need not be looked at.
      const quick = identity === null || !isPlain ? null : cacheKey(...common, copyKey(step), "layers", identity);
      const known = quick === null || context.noCache ? null : await findResult(lease, quick);
      if (known !== null) return { result: known, isCached: true };
      const { PreparedCopy } = await import("./execute/copy-step.ts");
      using prepared = await PreparedCopy.make(step, context.workspace, context.sources, context, (line) =>
        context.progress.warn(line),
      );
      const key = cacheKey(...common, copyKey(step), prepared.digest());
      const found = await cached(context, key, () => changed(state, context, (mounted) => prepared.copyTo(mounted)));
      if (quick !== null) keepResult(context.workspace.store, quick, found.result);
      return found;
    }
  }
}

/** Secrets, proxies, and what caches hold, do not count. */
function runKey({ args, script, env, cwd, user, network, mounts }: RunStep): unknown {
  return ["run", args, script, env, cwd, user, network, mounts.map(({ at: _, ...one }) => one)];
}

function copyKey({
  sources,
  files,
  destination,
  chown,
  chmod,
  parents,
  exclude,
  unpack,
  checksum,
  instruction,
}: CopyStep): unknown {
  const texts = sources.map(({ text }) => text);
  return [instruction, texts, files, destination, chown, chmod, parents, exclude, unpack, checksum];
}

async function cached(
  context: StageContext,
  key: string,
  make: () => Promise<Layer | null>,
): Promise<{ result: StepResult; isCached: boolean }> {
  const { workspace, noCache, atWork } = context;
  const other = atWork.get(key);
  if (other !== undefined) return { result: await other, isCached: true };
  const known = noCache ? null : await findResult(workspace.lease, key);
  if (known !== null) return { result: known, isCached: true };
  // Another stage may have come here meanwhile.
  const making = atWork.get(key) ?? made(context, key, make);
  atWork.set(key, making);
  return { result: await making, isCached: false };
}

async function made(
  { workspace, noCache, layerOptions, signal }: StageContext,
  key: string,
  make: () => Promise<Layer | null>,
): Promise<StepResult> {
  const layer = await make();
  signal.throwIfAborted();
  const { sourceDateEpoch } = layerOptions;
  const created = new Date(sourceDateEpoch === null ? Date.now() : sourceDateEpoch * 1000).toISOString();
  const result = { layer, created };
  if (!noCache) {
    if (claimResult(workspace.store, key, result)) return result;
    // Another build was quicker: what follows has its layer as parent, in the cache.
    const other = await findResult(workspace.lease, key);
    if (other !== null) return other;
  }
  keepResult(workspace.store, key, result);
  return result;
}

/** Mounts the state, changes it, and makes a layer of the changes. */
async function changed(
  { layers }: StageState,
  { workspace, layerOptions }: StageContext,
  change: (mounted: MountedLayers) => Promise<void>,
): Promise<Layer | null> {
  using mounted = await workspace.mount(layers);
  await change(mounted);
  return await mounted.commit(layerOptions);
}

/** An error without a place is one of its instruction. */
function located(step: Step, error: unknown): unknown {
  return error instanceof DockerfileError || !(error instanceof Error)
    ? error
    : new DockerfileError(step.at, error.message);
}
