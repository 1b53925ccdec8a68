/**
 * What is below `snapshots/` of a store:
 *
 * | | |
 * |---|---|
 * | `layers/<chain id>/fs` | a layer, unpacked in overlayfs's form; complete or not there |
 * | `user-layers/<chain id>/fs` | the same, for mounts in a user namespace, which read other marks |
 * | `tmp/<name>` | a layer on its way; locked by its process |
 * | `bundles/<name>` | the bundle of an `image run`; locked by that and by its runtime |
 * | `active/<id>/` | a snapshot that someone may write to: `snapshot.json`, and for overlays `upper` and `work` |
 */
import { mkdirAll } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { inUserNamespace } from "../../sys/user-namespace.ts";
import type { OverlayNamespace } from "../layer/lower-layers.ts";
import type { Store } from "../store/store.ts";

/** A place below `snapshots/`; its directory is made when it is missing. */
export function snapshotsPath(store: Store, place: "layers" | "user-layers" | "tmp" | "active" | "bundles"): string {
  const path = join(store.paths.snapshots, place);
  mkdirAll(path, 0o700);
  return path;
}

/** Where a layer is, or would be, unpacked: the directory with `fs` in it. */
export function layerDirectory(store: Store, chainId: string, namespace: OverlayNamespace): string {
  return join(snapshotsPath(store, namespace === "trusted" ? "layers" : "user-layers"), chainId);
}

/** Which marks of overlayfs a mount of this process reads: in a user namespace it may not have those of the system. @see overlayfs.rst, userxattr */
export function overlayNamespace(): OverlayNamespace {
  return inUserNamespace() ? "user" : "trusted";
}
