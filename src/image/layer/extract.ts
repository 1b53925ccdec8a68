/**
 * Extracts one layer: reads its entries, plans each (`change.ts`), and carries that out below the root directory of a tree.
 *
 * Two kinds of trees: a **whole** one, in which the earlier layers are already and whiteouts remove what they hide; and a layer's **own**,
 * in overlayfs's form, whose whiteouts are what a mount reads, over the layers below it.
 */
import type { ByteName } from "../../sys/byte-name.ts";
import type { Fd } from "../../sys/fd.ts";
import type { ByteSource } from "./byte-source.ts";
import { type Change, changeOf, LINKED, pathInRoot } from "./change.ts";
import type { ExtractContext } from "./extract-context.ts";
import { LayerError, quoted } from "./layer-error.ts";
import { LayerTree } from "./layer-tree.ts";
import type { LayerLimits } from "./limits.ts";
import { LowerLayers, type OverlayNamespace } from "./lower-layers.ts";
import { linkEntry, makeEntry } from "./make-entry.ts";
import { Notices } from "./notices.ts";
import { TarReader } from "./tar-reader.ts";
import { overlayWhiteouts, removingWhiteouts, type Whiteouts } from "./whiteouts.ts";

/** The tree that a layer is extracted to. */
export type ExtractTarget =
  /** @param isEmpty whether no layer is in it yet */
  | { kind: "whole"; root: Fd; isEmpty: boolean }
  /** @param lower root directories of the layers below, the uppermost first, each in overlayfs's form */
  | { kind: "own"; root: Fd; lower: readonly Fd[] };

export interface ExtractOptions {
  limits: LayerLimits;
  /** See {@link ExtractContext}. */
  owners: ExtractContext["owners"];
  overlay: OverlayNamespace;
  /** Whether it is any archive rather than a layer: nothing in it is a whiteout, and it says nothing of the directory that it goes to. */
  isForeign?: boolean;
}

export interface Extracted {
  entries: number;
  /** Bytes of files' contents. */
  bytes: number;
  /** What is worth telling the user, a line each. */
  notices: string[];
}

/**
 * Extracts a layer, to its end.
 * @param source the layer, no longer compressed
 * @throws {LayerError} for what is wrong with the layer, naming the entry
 * @throws {SyscallError} for what cannot be written
 */
export function extractLayer(source: ByteSource, target: ExtractTarget, options: ExtractOptions): Extracted {
  const { limits, owners, overlay } = options;
  const notices = new Notices();
  const context: ExtractContext = { owners, overlay, notices };
  const lower = new LowerLayers(target.kind === "own" ? target.lower : [], overlay);
  const isEmpty = target.kind === "own" || target.isEmpty;
  let whiteouts: Whiteouts | null = null;
  const isHidden = (path: ByteName) => whiteouts?.isHidden(path) ?? false;
  using tree = new LayerTree(target.root, lower, isHidden, isEmpty, context);
  whiteouts = target.kind === "own" ? overlayWhiteouts(tree, context) : removingWhiteouts(tree);
  tree.inheritRoot();
  const reader = new TarReader(source);
  const extracted: Extracted = { entries: 0, bytes: 0, notices: [] };
  let hasLent = false;
  for (let entry = reader.next(); entry !== null; entry = reader.next()) {
    if (++extracted.entries > limits.entries) {
      throw new LayerError(`more than ${limits.entries} entries (--max-entries)`);
    }
    if (reader.position > limits.bytes) throw new LayerError(`more than ${limits.bytes} bytes (--max-bytes)`);
    try {
      if (options.isForeign && pathInRoot(entry.name, limits.depth, "a path") === "") continue;
      const change = changeOf(entry, limits.depth);
      if (options.isForeign && change.kind !== "make" && change.kind !== "link")
        throw new LayerError("its name begins with .wh., and no layer can have such a file");
      carryOut(change, tree, whiteouts, reader, context);
      if (change.kind === "make" || change.kind === "lend") extracted.bytes += entry.size;
      hasLent ||= change.kind === "lend";
    } catch (error) {
      if (!(error instanceof LayerError)) throw error;
      throw new LayerError(`entry ${quoted(entry.name)}: ${error.message}`);
    }
  }
  whiteouts.finish();
  if (hasLent) tree.remove(LINKED);
  tree.finish();
  extracted.notices = notices.lines();
  return extracted;
}

function carryOut(
  change: Change,
  tree: LayerTree,
  whiteouts: Whiteouts,
  reader: TarReader,
  context: ExtractContext,
): void {
  switch (change.kind) {
    case "whiteout":
      return whiteouts.remove(change.path);
    case "opaque":
      return whiteouts.clear(change.path);
    case "make":
    case "lend":
      return makeEntry(change.path, change.entry, tree, reader, context);
    case "link":
      return linkEntry(change.path, change.target, tree, context);
    case "skip":
      return context.notices.add("aufs", () => `left out ${quoted(change.path)}: AUFS's own`);
  }
}
