/**
 * What a bundle was made of: `image.json`, beside `config.json`. It is there before anything else, and `config.json` comes last: a bundle
 * without that was never finished, and is cleared by whoever makes it anew.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { isSpec } from "../../config/generated/config.js";
import { parseValid } from "../../config/json.ts";
import type { Mount, Spec } from "../../config/types.ts";
import { hasErrno } from "../../sys/error.ts";
import { readText } from "../../sys/file.ts";
import { basename, join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import {
  directoriesOf,
  mountSnapshot,
  readSnapshot,
  removeSnapshot,
  snapshotsOf,
  unmountSnapshot,
} from "../snapshot/snapshot.ts";
import { openStore, type Store } from "../store/store.ts";

export interface BundleMarker {
  /** As the image was called, and the digest of its manifest. */
  image: string;
  digest: string;
  /** Absolute path of the store. */
  store: string;
  /** Id of the snapshot that is mounted on the rootfs; `null` for a tree of its own. */
  snapshot: string | null;
}

const MARKER = "image.json";
/** What a bundle consists of, the marker last. */
const PARTS = ["config.json", "rootfs", "volumes", "config.json.new", `${MARKER}.new`, MARKER];

/**
 * Claims a directory for a bundle: a new one, an empty one, or one whose making was interrupted, which is cleared.
 * @throws {Error} when it holds anything else
 */
export function claimBundle(directory: string, marker: BundleMarker): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const there = readdirSync(directory);
  if (there.includes("config.json"))
    throw new Error(`${directory} is a bundle already: "tsrunc image unbundle" removes it`);
  const foreign = there.find((name) => !PARTS.includes(name));
  if (foreign !== undefined || (there.length > 0 && !there.some((name) => name.startsWith(MARKER)))) {
    throw new Error(`${directory} is not empty: ${foreign ?? there[0]} is in it`);
  }
  if (there.length > 0) clearBundle(directory);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  replace(join(directory, MARKER), `${JSON.stringify(marker)}\n`);
}

/** Writes a file whole. */
export function replace(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o644 });
  renameSync(`${path}.new`, path);
}

/**
 * Removes a bundle that was made from an image: its mount, its snapshot, its files, and the directory if nothing else is in it.
 * @throws {Error} for a directory that is none
 */
export function removeBundle(directory: string): void {
  if (!existsSync(join(directory, MARKER))) {
    const why = existsSync(directory) ? `there is no ${MARKER} in it` : "it is not there";
    throw new Error(`${directory} is no bundle of "tsrunc image bundle": ${why}`);
  }
  clearBundle(realpathSync(directory));
}

/** Removes all of a bundle, whatever of it is lost: also snapshots that no marker tells of any more. */
export function discardBundle(store: Store, path: string): void {
  const directory = join(realpathSync(join(path, "..")), basename(path));
  unmountRootfs(directory);
  const snapshot = orDamaged(() => readMarker(directory)?.snapshot);
  for (const id of [...snapshotsOf(store, (owner) => owner === directory), ...(snapshot == null ? [] : [snapshot])])
    removeSnapshot(store, id);
  removeTree(directory);
}

/** How the image of a bundle was called; `null` where that is lost. */
export function imageOfBundle(directory: string): string | null {
  const image: unknown = orDamaged(() => readMarker(directory)?.image);
  return typeof image === "string" ? image : null;
}

/** What a bundle mounts of the host; `null` where that is lost. */
export function mountsOfBundle(directory: string): string[] | null {
  return orDamaged(() => (readSpec(directory).mounts as Mount[]).flatMap(({ source }) => source ?? []));
}

/** @returns `null` where what is read is lost, or not what was written */
function orDamaged<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Whether all is there that a start needs: a mount of layers is gone after a reboot, and by {@link unmountRootfs}. */
export function isMounted(directory: string): boolean {
  return readMarker(directory)?.snapshot === null || isMountPoint(join(directory, "rootfs"));
}

/** A finished bundle, or what of it is lost or not what was written. */
export type LookedAt = { kind: "whole"; spec: Spec } | { kind: "damaged"; why: string };

/** Looks whether all of a finished bundle is there. */
export function lookAtBundle(directory: string): LookedAt {
  const damaged = (why: string): LookedAt => ({ kind: "damaged", why });
  const lost = ["config.json", MARKER, "rootfs"].find((name) => !existsSync(join(directory, name)));
  if (lost !== undefined) return damaged(`${join(directory, lost)}: is missing`);
  try {
    const spec = readSpec(directory);
    const marker = readMarker(directory);
    if (marker === null || marker.snapshot === null) return { kind: "whole", spec };
    // It would be made, and be empty.
    if (!existsSync(marker.store))
      return damaged(`its store, ${marker.store}, is not there: a store that was moved is to be moved back`);
    const store = openStore(marker.store);
    const snapshot = readSnapshot(store, marker.snapshot);
    if (snapshot === null) return damaged(`its snapshot ${marker.snapshot} is missing`);
    const gone = directoriesOf(store, snapshot).find((path) => !existsSync(path));
    return gone === undefined ? { kind: "whole", spec } : damaged(`${gone}: is missing`);
  } catch (error) {
    return damaged((error as Error).message);
  }
}

/** The config.json of a bundle. @throws {ConfigError} */
export function readSpec(directory: string): Spec {
  const path = join(directory, "config.json");
  return parseValid(readText(path), path, isSpec);
}

/** Mounts the layers of a bundle again, with what was written to them. @throws {Error} for a bundle that was never finished */
export function mountRootfs(directory: string): void {
  const marker = readMarker(directory);
  const store = marker === null ? null : openStore(marker.store);
  const snapshot = store === null || marker?.snapshot == null ? null : readSnapshot(store, marker.snapshot);
  if (store === null || snapshot === null) throw new Error(`${directory} was never finished, or lost its layers`);
  mountSnapshot(store, snapshot, join(directory, "rootfs"));
}

/** Unmounts the layers; nothing mounted is fine. */
export function unmountRootfs(directory: string): void {
  const rootfs = join(directory, "rootfs");
  // Also one mount over another.
  while (isMountPoint(rootfs)) unmountSnapshot(rootfs);
}

function clearBundle(directory: string): void {
  unmountRootfs(directory);
  const marker = readMarker(directory);
  if (marker !== null && marker.snapshot !== null) removeSnapshot(openStore(marker.store), marker.snapshot);
  for (const name of PARTS) removeTree(join(directory, name));
  if (readdirSync(directory).length === 0) rmSync(directory, { recursive: true });
}

/** @returns `null` where it was never written whole */
function readMarker(directory: string): BundleMarker | null {
  const path = join(directory, MARKER);
  try {
    const marker = JSON.parse(readFileSync(path, "utf8")) as BundleMarker | null;
    if (typeof marker?.store !== "string" || !(marker.snapshot === null || /^[0-9a-f]{18}$/.test(marker.snapshot))) {
      throw new Error(`${path}: does not say of what the bundle was made`);
    }
    return marker;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return null;
    if (error instanceof SyntaxError) throw new Error(`${path}: is damaged: ${error.message}`);
    throw error;
  }
}

function isMountPoint(path: string): boolean {
  const escaped = path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[4] === escaped);
}
