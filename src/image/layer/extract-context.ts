/** What holds for all entries of an extraction. */
import type { OverlayNamespace } from "./lower-layers.ts";
import type { Notices } from "./notices.ts";

export interface ExtractContext {
  /**
   * Whose the files become: those that the archive names, or, for an ordinary user who has no other ids, all this process's own.
   */
  owners: "archive" | "own";
  /** Where overlayfs keeps its marks, for a tree that becomes a layer of a mount. */
  overlay: OverlayNamespace;
  notices: Notices;
}
