/** `image verify`: whether the store is what it should be. */
import { lstatSync } from "node:fs";
import type { Reporter } from "../progress/reporter.ts";
import { hasBlob, readBlob } from "../store/blobs.ts";
import { blobFiles } from "../store/collect.ts";
import { whyUnusable } from "../store/damaged.ts";
import { type Digest, shortDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import { documentsBelow } from "../store/documents-below.ts";
import { listEntries } from "../store/images.ts";
import { whyNoImage } from "../store/media-types.ts";
import { parseImageConfig } from "../store/parse-documents.ts";
import { layersOf } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";
import { inParallel } from "./in-parallel.ts";

/** Something that is wrong. */
export interface Problem {
  /** The images that it concerns, by name or digest; none for contents that belong to no image. */
  images: string[];
  digest: Digest;
  message: string;
}

export interface Verified {
  images: number;
  blobs: number;
  /** Bytes. */
  size: number;
  problems: Problem[];
}

/** Reads every content, and compares it with its digest; and every image, whether all that it refers to is there. */
export async function verifyStore(store: Store, reporter: Reporter): Promise<Verified> {
  const damaged = new Map<Digest, string>();
  const files = blobFiles(store);
  let total = 0;
  await inParallel(files, 2, async ({ digest, path }) => {
    let size: number;
    try {
      ({ size } = lstatSync(path));
    } catch {
      return; // removed meanwhile
    }
    total += size;
    const task = reporter.task(shortDigest(digest), size);
    const why = await whyUnusable(store, { digest, size }, (bytes) => task.update(bytes));
    if (why === null) return task.done();
    if (why.name === "MissingBlobError") return task.done("removed meanwhile");
    damaged.set(digest, why.message);
    task.done("damaged");
  });
  const problems = new Map<Digest, Problem>();
  const add = (digest: Digest, image: string | null, message: string) => {
    const problem = problems.get(digest) ?? { images: [], digest, message };
    if (image !== null && !problem.images.includes(image)) problem.images.push(image);
    problems.set(digest, problem);
  };
  const entries = listEntries(store);
  for (const { name, descriptor } of entries) await check(store, descriptor, name ?? descriptor.digest, damaged, add);
  for (const [digest, message] of damaged) if (!problems.has(digest)) add(digest, null, message);
  return { images: entries.length, blobs: files.length, size: total, problems: [...problems.values()] };
}

type Add = (digest: Digest, image: string | null, message: string) => void;

async function check(
  store: Store,
  descriptor: Descriptor,
  label: string,
  damaged: ReadonlyMap<Digest, string>,
  add: Add,
): Promise<void> {
  const isSound = (one: Descriptor): boolean => {
    const message =
      damaged.get(one.digest) ??
      (hasBlob(store, one) ? null : `${one.digest} is missing, or has another size than ${one.size} bytes`);
    if (message !== null) add(one.digest, label, message);
    return message === null;
  };
  for await (const { descriptor: one, root } of documentsBelow(store, descriptor, label)) {
    if (!isSound(one)) continue;
    try {
      if (root instanceof Error) throw root;
      if (root.kind === "index") continue;
      const { config, layers } = root.document;
      for (const layer of layers) isSound(layer);
      if (!isSound(config) || whyNoImage(root.document) !== null) continue;
      layersOf(root.document, parseImageConfig(await readBlob(store, config), `config of ${label}`), label);
    } catch (error) {
      add(one.digest, label, (error as Error).message);
    }
  }
}
