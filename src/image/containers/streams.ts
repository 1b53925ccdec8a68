/** What a container's process writes, as its monitor reads it: from a fifo, or from its terminal. */
import { readSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { setNonBlocking } from "../../sys/io.ts";
import type { Store } from "../store/store.ts";
import { LogEncoder, type StreamName } from "./log-format.ts";
import { type Container, containerPath } from "./record.ts";

/** One of the two streams that a container's process writes. */
export class Stream {
  #read: Fd;
  #write: Fd | null = null;
  readonly path: string;
  readonly encoder: LogEncoder;
  pending: Uint8Array = new Uint8Array(0);
  /** Who got the output in the beginning. */
  readonly attached: number | null;

  /** @param tee who gets the output as it comes; `null` for nobody */
  constructor(
    store: Store,
    { id }: Container,
    readonly name: StreamName,
    public tee: number | null,
  ) {
    this.attached = tee;
    this.path = containerPath(store, id, name);
    // For reading and writing: there is no end of file when the container's process closes it.
    this.#read = open(this.path, O.RDWR | O.NONBLOCK | O.NOFOLLOW);
    const F_SETPIPE_SZ = 1031;
    syscall("fcntl", this.#read.number, F_SETPIPE_SZ, 1 << 20);
    this.encoder = new LogEncoder(name);
  }

  /** For the container: blocking, and for reading too, so that it never writes to nobody. */
  writeEnd(): number {
    this.#write ??= open(this.path, O.RDWR | O.NOFOLLOW);
    return this.#write.number;
  }

  closeWriteEnd(): void {
    this.#write?.close();
    this.#write = null;
  }

  /** Reads from a terminal's master from now on. */
  readFrom(master: Fd): void {
    setNonBlocking(master.number);
    this.#read.close();
    this.#read = master;
  }

  get number(): number {
    return this.#read.number;
  }

  /** @returns `null` when there is nothing now; a terminal that nobody has open is that (EIO) */
  take(): Uint8Array | null {
    const memory = Buffer.allocUnsafe(1 << 16);
    try {
      const count = readSync(this.#read.number, memory, 0, memory.length, null);
      return count === 0 ? null : memory.subarray(0, count);
    } catch (error) {
      if (hasErrno(error, "EAGAIN", "EIO")) return null;
      throw error;
    }
  }

  takeText(): string {
    return Buffer.from(this.take() ?? []).toString();
  }
}
