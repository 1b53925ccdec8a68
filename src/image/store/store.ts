/**
 * The store: where images are kept. It is an OCI layout, so other tools read it (`skopeo inspect oci:/var/lib/tsrunc:docker.io/library/alpine:latest`),
 * with a few directories of its own beside:
 *
 * | below `--store` | what | who |
 * |---|---|---|
 * | `oci-layout`, `index.json` | the images: an entry a name; an entry without a name is an untagged image | `images.ts` |
 * | `blobs/<algorithm>/<hex>` | contents: layers as they came, configs, manifests, indexes. Complete or not there | `blobs.ts`, `ingest.ts` |
 * | `ingest/` | contents on the way in; kept when interrupted, to go on from there | `ingest.ts` |
 * | `leases/` | what processes at work hold on to, so that nobody collects it | `lease.ts` |
 * | `lock` | taken shared to write a lease down, exclusively to change `index.json` or to collect: milliseconds | here |
 * | `snapshots/` | stacks of layers, unpacked: `image/snapshot` owns what is in there | |
 *
 * **Reading an image**, which is all that a bundle takes:
 *
 *     const store = openStore(path);
 *     using lease = await Lease.take(store);
 *     const image = await resolveImage(store, "alpine:3.20", { lease });
 *     for (const { descriptor, diffId, kind } of image.layers) {
 *       using blob = openBlob(store, descriptor); // a descriptor at offset 0, of a file of the right size
 *       …                                         // whoever reads it checks the digest while it reads
 *     }
 *
 * `openBlob` has compared the size alone. Compare `descriptor.digest` with what you read, and throw `new DamagedBlobError(descriptor, …)` where it
 * differs; `readBlob` does both for small documents. `blobPath` is for a worker that opens by path.
 *
 * **Writing** needs a lease, too: `ingest(lease, descriptor, source)` for contents whose digest is known, `ingestNew(lease, source)` for
 * those that get theirs by being written, such as a new layer; both put them below `blobs/` in one step, verified and synced. Then
 * `putDocument(lease, …)` for config and manifest, and `putImage(store, …)` gives it all a name. Until then the lease alone keeps it.
 *
 * **Locks.** Nobody holds `lock` while waiting for anything. Content needs no lock to be read once a lease names it: blobs are never changed.
 * What is not named by a lease and not reachable from `index.json` may be gone at any moment. A directory below `snapshots/` is
 * collected by the function that is given to `collect` as a {@link Collector}, which runs with `lock` held and is told which layers live.
 */

import { fdatasyncSync, fsyncSync } from "node:fs";
import { callerUid } from "../../sys/executable.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { chmod, exists, mkdirAll, readDirectory, readText, realPath, rename, unlink } from "../../sys/file.ts";
import { type LockMode, lockWhenFree } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { lock } from "./lock.ts";
import { writeAllTo } from "./write.ts";

/** A store that is there. */
export interface Store {
  /** Absolute path. */
  readonly root: string;
  /** Absolute paths below it. */
  readonly paths: {
    readonly index: string;
    readonly blobs: string;
    readonly ingest: string;
    readonly leases: string;
    readonly lock: string;
    readonly snapshots: string;
  };
}

const LAYOUT_FILE = JSON.stringify({ imageLayoutVersion: "1.0.0" });

/** Where the store is when `--store` does not say: root's below `/var/lib`, an ordinary user's where the XDG specification has data. */
export function defaultStore(env: NodeJS.ProcessEnv = process.env, uid: number = callerUid()): string {
  if (uid === 0) return "/var/lib/tsrunc";
  const { XDG_DATA_HOME: data, HOME: home } = env;
  if (data?.startsWith("/")) return join(data, "tsrunc");
  if (home?.startsWith("/")) return join(home, ".local/share/tsrunc");
  throw new Error("neither XDG_DATA_HOME nor HOME says where the images are to be kept: use --store");
}

/**
 * Opens a store, and makes it where there is none. Its paths are free of symlinks, as those are by which the runtime knows its bundles.
 * @throws {Error} when the directory holds something else
 * @throws {SyscallError}
 */
export function openStore(path: string): Store {
  const root = join(path.startsWith("/") ? "" : process.cwd(), path);
  const marker = join(root, "oci-layout");
  if (!exists(marker)) create(storeAt(root), marker);
  else if (!/"imageLayoutVersion"\s*:\s*"1\./.test(readText(marker))) {
    throw new Error(`${marker}: ${JSON.stringify(readText(marker).slice(0, 80))} is no OCI layout of version 1`);
  }
  return storeAt(realPath(root));
}

function storeAt(root: string): Store {
  const at = (name: string) => join(root, name);
  const paths = {
    index: at("index.json"),
    blobs: at("blobs"),
    ingest: at("ingest"),
    leases: at("leases"),
    lock: at("lock"),
    snapshots: at("snapshots"),
  };
  return { root, paths };
}

/** Whether a name may be there before a store is complete: of one whose maker was killed, or on a new disk. */
function isPart(name: string): boolean {
  const parts = ["blobs", "ingest", "leases", "snapshots", "lock", "index.json", "lost+found"];
  return parts.includes(name) || /^(index\.json|oci-layout)\.[0-9a-f]{12}\.new$/.test(name);
}

/** One at a time: others may be about to do the same, and who was killed in the middle of it has left the lock. */
function create({ root, paths }: Store, marker: string): void {
  if (exists(paths.index) && !exists(paths.lock))
    throw new Error(`${root}: has an index.json and no oci-layout: this is no store of images`);
  const foreign = exists(root) ? readDirectory(root).find(({ name }) => !isPart(name)) : undefined;
  // Nobody's directory becomes a store, which would take it from all others, because its name was given by mistake.
  // What a store has besides its parts comes after the marker, which another process may have set since it was looked for.
  if (foreign !== undefined && !exists(marker))
    throw new Error(`${root}: is no store of images, and not empty: ${foreign.name} is in it`);
  try {
    mkdirAll(root, 0o755);
  } catch (error) {
    throw new Error(`cannot make the store ${root} (--store names another place): ${(error as Error).message}`);
  }
  using lock = open(paths.lock, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  lockWhenFree(lock, "exclusive", paths.lock);
  if (exists(marker)) return;
  // Layers hold what their users may have meant for nobody else.
  chmod(root, 0o700);
  makeDirectories(paths);
  if (!exists(paths.index)) replaceFile(paths.index, `${JSON.stringify({ schemaVersion: 2, manifests: [] })}\n`);
  replaceFile(marker, LAYOUT_FILE);
}

/** What a store is written to. Copies lose directories with nothing in them, and a layout of another tool's has none but `blobs`. */
export function makeDirectories({ blobs, ingest, leases, snapshots }: Store["paths"]): void {
  for (const path of [join(blobs, "sha256"), join(blobs, "sha512"), ingest, leases, snapshots])
    if (!exists(path)) mkdirAll(path, 0o700);
}

/** Takes the store's lock; see the discipline above. Declared with `using`, it is let go of at the end of the block. */
export function lockStore({ paths }: Store, mode: LockMode): Promise<Fd> {
  return lock(paths.lock, mode);
}

/**
 * Replaces a file whole: whoever reads it, also after a crash of the machine, finds the old contents or the new.
 * @throws {SyscallError}
 */
export function replaceFile(path: string, contents: string | Uint8Array): void {
  const temporary = `${path}.${randomHex(6)}.new`;
  try {
    using file = open(temporary, O.WRONLY | O.CREAT | O.EXCL, 0o600);
    writeAllTo(file.number, typeof contents === "string" ? new TextEncoder().encode(contents) : contents, path);
    fdatasyncSync(file.number);
    rename(temporary, path);
  } catch (error) {
    if (exists(temporary)) unlink(temporary);
    throw error;
  }
  syncDirectory(join(path, ".."));
}

/** Makes the names in a directory outlast a crash of the machine. @see fsync(2) */
export function syncDirectory(path: string): void {
  using directory = open(path, O.RDONLY | O.DIRECTORY);
  fsyncSync(directory.number);
}
