/**
 * The line between the parent and the forked init: JSON messages, with descriptors where they are needed.
 *
 * Both ends see the other's death as the end of the stream, so no wait lasts for ever.
 */

import type { CgroupTasksFile } from "../cgroup/entrance.ts";
import { ERRNO } from "../sys/errno.ts";
import { check } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { uninterrupted, writeSome } from "../sys/io.ts";
import { shorten } from "../sys/shorten.ts";
import { type Message, receiveMessage, sendMessage } from "../sys/socket.ts";
import { decode, encode } from "../sys/text.ts";

/** What the init tells the parent. */
export type InitMessage =
  /** The process is in the namespaces that it joins, and the parent may act on them by it. */
  | { type: "joined" }
  /** The namespaces exist; the parent's hooks may run. The parent answers `go`. */
  | { type: "hooks" }
  /** The parent opens the source of a mount by its name in the plan, and answers `source`. */
  | { type: "source"; name: string }
  /** The parent has the filter of system calls, as soon as it is built, and answers `filter`. */
  | { type: "filter" }
  /** One descriptor: the master of the process's terminal. */
  | { type: "terminal" }
  /** The number of this process's seccomp listener, which the parent takes, hands on, and answers `heard`. */
  | { type: "listener"; fd: number }
  | { type: "warning" | "debug"; message: string }
  /** All is set up; only `start` is waited for. */
  | { type: "ready" }
  /** `hook`: it was a hook that failed. */
  | { type: "error"; message: string; hook?: true };

/** Why the init has failed. */
export type Failure = Extract<InitMessage, { type: "error" }>;

/** What the parent tells the init. */
export type ParentMessage =
  /** All that only the parent can do for the process is done. A descriptor for each of the v1 cgroups that it is to enter. */
  | { type: "admitted"; files: readonly CgroupTasksFile[] }
  | { type: "go" }
  | { type: "heard" }
  /** One descriptor: a file with the filter of system calls. */
  | { type: "filter" }
  /** One descriptor: a detached tree of mounts. */
  | { type: "source" };

/** A message and the descriptors that came with it. */
export interface Received<M> {
  message: M;
  fds: Fd[];
}

/** One end of the line; `Out` is what it sends, `In` what it receives. */
export class Channel<Out extends { type: string }, In extends { type: string }> {
  readonly #kept: Received<In>[] = [];
  #plain = false;

  constructor(readonly fd: Fd) {}

  /**
   * From here on no message has descriptors, and they go by read(2) and write(2): filters of system calls allow these, where they
   * may forbid whatever is for sockets.
   */
  forgoDescriptors(): void {
    this.#plain = true;
  }

  /** @throws {SyscallError} EPIPE when the other end is gone */
  send(message: Out, fds: readonly number[] = []): void {
    if (this.#plain) writeSome(this.fd.number, encodeMessage(message));
    else sendMessage(this.fd.number, encodeMessage(message), fds);
  }

  /** Waits for a message. @returns `null` when the other end is gone */
  receive(): Received<In> | null {
    if (this.#plain) return this.#read();
    const received: Message | null = receiveMessage(this.fd.number);
    if (received === null) return null;
    return { message: JSON.parse(decode(received.payload)) as In, fds: received.fds };
  }

  /**
   * Waits for a message of one type; others that come before it are kept for their own call.
   * @returns `null` when the other end is gone
   */
  expect<T extends In["type"]>(type: T): Received<Extract<In, { type: T }>> | null {
    const isWanted = (received: Received<In>): received is Received<Extract<In, { type: T }>> =>
      received.message.type === type;
    for (let index = 0; index < this.#kept.length; index++) {
      const received = this.#kept[index] as Received<In>;
      if (!isWanted(received)) continue;
      this.#kept.splice(index, 1);
      return received;
    }
    for (;;) {
      const received = this.receive();
      if (received === null || isWanted(received)) return received;
      this.#kept.push(received);
    }
  }

  #read(): Received<In> | null {
    const memory = new Uint8Array(PLAIN_BYTES);
    let length: number;
    // Said once, before what there is to read, when the other end has gone and left something unread itself.
    do length = uninterrupted("read", this.fd.number, memory);
    while (length === -ERRNO.ECONNRESET);
    if (check(length, "read") === 0) return null;
    return { message: JSON.parse(decode(memory.subarray(0, length))) as In, fds: [] };
  }

  close(): void {
    this.fd.close();
  }
}

/** Longest message without descriptors that is received: a single word. */
const PLAIN_BYTES = 512;

/** Longest message, in bytes: {@link Channel.receive} takes as much, and so does a pipe without a reader. */
const MESSAGE_BYTES = 65536;

/**
 * A message as it is sent. One that is too long loses the middle of its text, in which a hook may have put what it likes.
 * @throws {Error} when it is too long without any text
 */
export function encodeMessage(message: unknown): Uint8Array {
  const encoded = encode(JSON.stringify(message));
  if (encoded.byteLength < MESSAGE_BYTES) return encoded;
  const { message: text = "" } = message as { message?: string };
  if (text === "") throw new Error(`a message of ${encoded.byteLength} bytes is too long`);
  return encodeMessage({ ...(message as object), message: shorten(text, text.length >> 1) });
}
