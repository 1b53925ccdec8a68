/**
 * Leases: what a process at work holds on to. A pull's layers belong to no image yet, and a bundle being made still needs those of an image
 * that somebody removes meanwhile.
 *
 * A lease is a file below `leases/` with a digest a line, locked by its process. When that is gone, so is the lock, and the lease counts
 * no more: the next collection removes it.
 */
import type { Fd } from "../../sys/fd.ts";
import { exists, readDirectory, readText, unlink } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { type Digest, isDigest } from "./digest.ts";
import { tryLock } from "./lock.ts";
import { lockStore, makeDirectories, type Store } from "./store.ts";
import { writeAllTo } from "./write.ts";

/** Take it with `using`: it ends with its block. */
export class Lease implements Disposable {
  readonly #held = new Set<Digest>();
  #ended = false;

  private constructor(
    readonly store: Store,
    readonly path: string,
    readonly file: Fd,
  ) {}

  /** Takes an empty lease. @throws {SyscallError} */
  static async take(store: Store): Promise<Lease> {
    using _ = await lockStore(store, "shared");
    makeDirectories(store.paths);
    const path = join(store.paths.leases, randomHex(12));
    const file = tryLock(path, "exclusive");
    if (file === null) throw new Error(`${path}: is locked by somebody else`);
    return new Lease(store, path, file);
  }

  /**
   * Holds on to contents, whether they are there already or come later. Ask whether they are there after this, not before.
   * @throws {SyscallError}
   */
  async protect(digests: Iterable<Digest>): Promise<void> {
    const added = [...new Set(digests)].filter((digest) => !this.#held.has(digest));
    if (added.length === 0) return;
    using _ = await lockStore(this.store, "shared");
    this.#write(added);
  }

  /** All that it holds on to. */
  get held(): ReadonlySet<Digest> {
    return this.#held;
  }

  /** {@link protect} for who has the store's lock already. */
  protectLocked(digests: Iterable<Digest>): void {
    this.#write([...new Set(digests)].filter((digest) => !this.#held.has(digest)));
  }

  #write(digests: readonly Digest[]): void {
    writeAllTo(this.file.number, new TextEncoder().encode(digests.map((digest) => `${digest}\n`).join("")), this.path);
    for (const digest of digests) this.#held.add(digest);
  }

  /** Lets go of everything; a second time is harmless. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    unlink(this.path);
    this.file.close();
  }
}

/**
 * What the leases of all processes hold on to. Removes those whose processes are gone.
 * The store's lock must be held exclusively: nobody takes or extends a lease meanwhile.
 */
export function leasedDigests({ paths }: Store): Set<Digest> {
  const digests = new Set<Digest>();
  if (!exists(paths.leases)) return digests;
  for (const { name } of readDirectory(paths.leases)) {
    const path = join(paths.leases, name);
    using abandoned = tryLock(path, "exclusive");
    if (abandoned !== null) unlink(path);
    else for (const line of readText(path).split("\n")) if (isDigest(line)) digests.add(line);
  }
  return digests;
}
