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
import { hasErrno } from "../../sys/error.ts";
import { join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { mountSnapshot, readSnapshot, removeSnapshot, unmountSnapshot } from "../snapshot/snapshot.ts";
import { openStore } from "../store/store.ts";

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

/** Whether all is there that a start needs: a mount of layers is gone after a reboot, and by {@link unmountRootfs}. */
export function isMounted(directory: string): boolean {
  return readMarker(directory)?.snapshot === null || isMountPoint(join(directory, "rootfs"));
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
  try {
    const marker = JSON.parse(readFileSync(join(directory, MARKER), "utf8")) as BundleMarker;
    if (typeof marker.store !== "string" || !(marker.snapshot === null || /^[0-9a-f]{18}$/.test(marker.snapshot))) {
      throw new Error(`${join(directory, MARKER)} does not say of what the bundle was made`);
    }
    return marker;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return null;
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
