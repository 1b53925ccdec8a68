/** Collects what builds keep for the next ones: records of steps whose layers are gone, and cache mounts and downloads beyond a bound. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { exists, unlink } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { bytesBelow, type Collector, type Garbage, type Live } from "../store/collect.ts";
import type { Digest } from "../store/digest.ts";
import { tryLock } from "../store/lock.ts";
import type { Store } from "../store/store.ts";
import { usePath } from "./execute/kept.ts";

/** Records of steps that changed nothing, and so have no layer that could go. */
const MOST_RECORDS = 10_000;

/** @param limit bytes of cache mounts and downloads that may stay: those used last */
export function collectBuildCache(limit: number): Collector {
  return (store, live, { dryRun }) => [...collectRecords(store, live, dryRun), ...collectKept(store, limit, dryRun)];
}

function collectRecords(store: Store, live: Live, dryRun: boolean): Garbage[] {
  const directory = join(store.root, "build", "cache");
  const records = namesIn(directory)
    .map((name) => join(directory, name))
    .map((path) => ({ path, layer: layerOf(path), stat: statSync(path) }))
    .sort((one, other) => other.stat.mtimeMs - one.stat.mtimeMs);
  let without = 0;
  const gone = records.filter(({ layer }) => (layer === null ? ++without > MOST_RECORDS : !live.blobs.has(layer)));
  if (!dryRun) for (const { path } of gone) unlink(path);
  return gone.map(({ path, stat }) => ({ kind: "cache", name: path.slice(store.root.length + 1), size: stat.size }));
}

/** The layer that a record names; a digest of nothing for what is no record. */
function layerOf(path: string): Digest | null {
  try {
    const { descriptor } = JSON.parse(readFileSync(path, "utf8")) as { descriptor: { digest: Digest } | null };
    return descriptor?.digest ?? null;
  } catch {
    return "sha256:" as Digest;
  }
}

function collectKept(store: Store, limit: number, dryRun: boolean): Garbage[] {
  const kept = ["mounts", "downloads"].flatMap((place) => {
    const directory = join(store.root, "build", place);
    return namesIn(directory)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map((name) => {
        const path = join(directory, name);
        return { path, name: `build/${place}/${name}`, used: lastUse(path), size: bytesBelow(path) };
      });
  });
  let total = 0;
  const beyond = kept
    .sort((one, other) => other.used - one.used)
    .filter(({ size }) => {
      total += size;
      return total > limit;
    });
  return beyond.flatMap(({ path, name, size }): Garbage[] => {
    using free = tryLock(usePath(path), "exclusive") ?? undefined;
    if (free === undefined) return [];
    if (!dryRun) {
      removeTree(path);
      for (const beside of [`${path}.lock`, usePath(path)]) if (exists(beside)) unlink(beside);
    }
    return [{ kind: "cache", name, size }];
  });
}

function lastUse(path: string): number {
  return statSync(exists(usePath(path)) ? usePath(path) : path).mtimeMs;
}

function namesIn(path: string): string[] {
  return exists(path) ? readdirSync(path) : [];
}
