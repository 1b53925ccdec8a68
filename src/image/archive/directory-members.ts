/** A directory: an OCI layout, or what skopeo's `dir:` writes. */
import { createReadStream } from "node:fs";
import { check, hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { uninterrupted } from "../../sys/io.ts";
import { join } from "../../sys/path-names.ts";
import { fstat, isType } from "../../sys/stat.ts";
import type { Descriptor } from "../store/documents.ts";
import { ingest, ingestNew, WrongContentError } from "../store/ingest.ts";
import type { Lease } from "../store/lease.ts";
import { LARGEST_DOCUMENT } from "../store/parse-documents.ts";
import { cleanName, HEAD, type Members, type Stored } from "./members.ts";

export class DirectoryMembers implements Members {
  constructor(readonly label: string) {}

  async document(name: string): Promise<Uint8Array | null> {
    using file = this.#open(name);
    if (file === null) return null;
    const { size } = fstat(file.number);
    if (size > LARGEST_DOCUMENT)
      throw new Error(`${this.label}/${name}: has ${size} bytes, more than the ${LARGEST_DOCUMENT} that are read`);
    const bytes = new Uint8Array(size);
    const count = check(uninterrupted("read", file.number, bytes), `read ${this.label}/${name}`);
    return bytes.subarray(0, count);
  }

  async store(lease: Lease, name: string, expected?: Pick<Descriptor, "digest" | "size">): Promise<Stored | null> {
    using file = this.#open(name);
    if (file === null) return null;
    const { size } = fstat(file.number);
    const path = join(this.label, name);
    if (expected !== undefined && expected.size !== size) {
      throw new WrongContentError(`${path}: has ${size} bytes, and ${expected.size} were announced`);
    }
    const head = new Uint8Array(HEAD);
    check(uninterrupted("read", file.number, head), `read ${path}`);
    const stream = (start: number) =>
      createReadStream(path, {
        fd: file.number,
        autoClose: false,
        start,
        highWaterMark: 1 << 20,
      }) as AsyncIterable<Uint8Array>;
    if (expected === undefined) return { ...(await ingestNew(lease, stream(0))), head };
    await ingest(lease, expected, stream);
    return { ...expected, head };
  }

  /** A symlink or a fifo in a layout is none of a tool's. */
  #open(name: string): Fd | null {
    const path = join(this.label, cleanName(name));
    try {
      const file = open(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
      if (isType(fstat(file.number), "regular")) return file;
      file.close();
      throw new Error(`${path}: is no regular file`);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
      throw error;
    }
  }
}
