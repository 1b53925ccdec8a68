/** `--squash`: the layers that a build made, as one. */
import { O, open } from "../../sys/fd.ts";
import { LayerExtractor } from "../layer/layer-extractor.ts";
import { DEFAULT_LIMITS } from "../layer/limits.ts";
import { overlayNamespace } from "../snapshot/directories.ts";
import { extractStored } from "../snapshot/unpack.ts";
import type { LayerOptions } from "./execute/mounted-layers.ts";
import type { Workspace } from "./execute/workspace.ts";
import type { StageState } from "./stage-build.ts";

/** @param kept layers of the base image, which stay as they are */
export async function squashed(
  state: StageState,
  kept: number,
  workspace: Workspace,
  options: LayerOptions,
): Promise<StageState> {
  const base = state.layers.slice(0, kept);
  const own = state.layers.slice(kept);
  if (own.length < 2) return state;
  using mounted = await workspace.mount(base);
  {
    using root = open(mounted.path, O.RDONLY | O.DIRECTORY);
    await using extractor = new LayerExtractor();
    for (const layer of own) {
      const target = { kind: "whole", root, isEmpty: false } as const;
      await extractStored(extractor, workspace.store, layer, target, {
        limits: DEFAULT_LIMITS,
        owners: "archive",
        overlay: overlayNamespace(),
      });
    }
  }
  const layer = await mounted.commit(options);
  let seen = 0;
  const history = state.history.map((entry) =>
    entry.empty_layer || ++seen <= kept ? entry : { ...entry, empty_layer: true },
  );
  const created = state.created === null ? {} : { created: state.created };
  return {
    ...state,
    layers: layer === null ? base : [...base, layer],
    history:
      layer === null
        ? history
        : [...history, { ...created, created_by: "squash", comment: "tsrunc image build --squash" }],
  };
}
