/** Where steps take files from: the context, stages and images, as trees. */
import { chainIds } from "../../snapshot/chain.ts";
import type { Layer } from "../../store/resolve.ts";
import { openNamedContext } from "../context.ts";
import { IgnoreRules } from "../paths/ignore.ts";
import { describeSource, type SourceRef } from "../plan/steps.ts";
import { SourceTree } from "./tree.ts";
import type { Workspace } from "./workspace.ts";

/** A tree, until the end of its block. */
export interface OpenSource extends Disposable {
  tree: SourceTree;
  /** Where a stage or image is mounted; `null` for the context. */
  path: string | null;
}

/** What is made of layers. */
export type LayeredSource = Extract<SourceRef, { kind: "stage" | "image" }>;

export class Sources {
  constructor(
    readonly workspace: Workspace,
    readonly context: () => Promise<SourceTree>,
    /** Layers of a stage or an image. */
    readonly layersOf: (source: LayeredSource) => Promise<readonly Layer[]>,
  ) {}

  /** What says, without looking at the files, that they are the same; `null` for a directory of the caller's. */
  async identity(source: SourceRef): Promise<string | null> {
    if (source.kind === "context" || source.kind === "directory") return null;
    const layers = await this.layersOf(source);
    return chainIds(layers.map(({ diffId }) => diffId)).at(-1) ?? "scratch";
  }

  async open(source: SourceRef): Promise<OpenSource> {
    if (source.kind === "context") return { tree: await this.context(), path: null, [Symbol.dispose]() {} };
    if (source.kind === "directory") {
      const { tree, [Symbol.dispose]: close } = openNamedContext(source.path);
      return { tree, path: null, [Symbol.dispose]: close };
    }
    const mounted = await this.workspace.mount(await this.layersOf(source));
    const tree = new SourceTree(mounted.root, describeSource(source), false, "kept", IgnoreRules.none);
    return { tree, path: mounted.path, [Symbol.dispose]: () => mounted[Symbol.dispose]() };
  }
}
