/**
 * CRIU as a child of this process: `criu swrk 3`, which takes one request at a time on a socket that it has as descriptor 3.
 *
 * The child is forked by the caller, and may do something first: a restored container inherits its cgroups, and CRIU finds the rootfs in its
 * mount namespace.
 */

import { errnoText } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { closeOnExecFrom, duplicateAbove, duplicateOnto, FIRST_FD, O, open } from "../sys/fd.ts";
import { type ExitStatus, endWords, execve, exit, sendSignal, waitPid } from "../sys/process.ts";
import { resetSignalHandlers, SIGNALS, setSignalMask } from "../sys/signal.ts";
import { receiveMessage, sendMessage, socketpair } from "../sys/socket.ts";
import { decode, encode } from "../sys/text.ts";
import { ownProcessGroup } from "../sys/user.ts";
import { decodeResponse, encodeRequest } from "./codec.ts";
import { type CriuFeatures, type CriuRequest, type CriuResponse, TYPE } from "./messages.ts";
import { versionIn, versionText } from "./version.ts";

/** How CRIU is started. */
export interface CriuStart<T> {
  /** The program. */
  path: string;
  environment: readonly string[];
  /** Forks, as `fork` of `sys/process.ts` does. */
  fork(): number;
  /** What the child does before it becomes CRIU. Its result is JSON; the descriptors are CRIU's from 4 on. */
  prepare(): { result: T; passed: readonly Fd[] };
  /** Standard streams: those of this process, or the null device. */
  streams: "ours" | "null";
  /** Waits until a descriptor can be read, and throws when there is a reason not to wait on: CRIU is killed then. */
  waitFor(fd: Fd): void;
  /** Whether what a terminal's keys send to whoever called us is to come to CRIU, too, which it ends. */
  withCallersKeys: boolean;
}

/** CRIU said that something failed, or ended. */
export class CriuError extends Error {
  /**
   * @param begun whether it had begun with a container's processes: before that it is CRIU itself that does not work
   * @param said what it said itself, if it did: the first error in its log, which need not be the cause
   */
  constructor(
    message: string,
    readonly begun: boolean,
    readonly said: string | null = null,
  ) {
    super(message);
  }
}

/** What CRIU tells while it works, and the descriptors that come with it. */
export interface Notification {
  script: string;
  pid: number;
  fds: readonly Fd[];
}

/** What the child says before it is CRIU; with the result comes the line to CRIU. */
type Line<T> = { prepared: T } | { failed: string };

/** The first number that is free in a child in any case. */
const ABOVE = 100;

/** A running CRIU. */
export class Criu<T = null> implements Disposable {
  readonly pid: number;
  /** What {@link CriuStart.prepare} returned. */
  readonly prepared: T;
  readonly #socket: Fd;
  readonly #waitFor: (fd: Fd) => void;
  #ended: ExitStatus | null = null;
  #begun = false;

  /** @throws {Error} when the program cannot be executed, or what the child does before fails */
  constructor(start: CriuStart<T>) {
    this.#waitFor = (fd) => start.waitFor(fd);
    const [line, childs] = socketpair();
    this.pid = start.fork();
    if (this.pid === 0) become(start, childs);
    childs.close();
    using _ = line;
    try {
      const first = hear<T>(line);
      if (first === null) throw new Error("the process that was to become criu has ended");
      this.prepared = first.prepared;
      this.#socket = first.socket;
      // The end of the line is the execve.
      hear<T>(line);
    } catch (error) {
      waitPid(this.pid);
      throw error;
    }
  }

  /** Which version it is. @throws {CriuError} */
  version(): number {
    return versionIn(this.#ask({ type: TYPE.VERSION, keep_open: true }));
  }

  /**
   * Makes sure that CRIU and the kernel can do something.
   * @throws {Error} that names what is missing @throws {CriuError}
   */
  requireFeature(name: keyof CriuFeatures, purpose: string): void {
    const { features = {} } = this.#ask({ type: TYPE.FEATURE_CHECK, features: { [name]: true }, keep_open: true });
    if (features[name] !== true) {
      throw new Error(`${purpose} is not possible here: criu or the kernel has no ${FEATURE_NAMES[name]}`);
    }
  }

  /**
   * Has CRIU carry a request out.
   * @param notified is called for each notification; when it throws, CRIU gives up
   * @throws {CriuError} when CRIU fails, and what `notified` has thrown
   */
  carryOut(request: CriuRequest, notified: (notification: Notification) => void): CriuResponse {
    this.#send(request);
    for (;;) {
      const { response, fds } = this.#receive();
      if (response.type !== TYPE.NOTIFY) {
        for (const fd of fds) fd.close();
        this.#check(response);
        return response;
      }
      const { script = "", pid = 0 } = response.notify ?? {};
      this.#begun ||= script !== "pre-dump" && script !== "pre-restore";
      try {
        notified({ script, pid, fds });
      } catch (error) {
        this.#send({ type: TYPE.NOTIFY, notify_success: false });
        // So that it has undone what it did when the failure is reported.
        this.#drain();
        throw error;
      } finally {
        for (const fd of fds) fd.close();
      }
      this.#send({ type: TYPE.NOTIFY, notify_success: true });
    }
  }

  /** Waits for its end, which comes when it has nothing to do any more. */
  end(): ExitStatus {
    this.#socket.close();
    this.#ended ??= waitPid(this.pid);
    return this.#ended;
  }

  [Symbol.dispose](): void {
    this.end();
  }

  #ask(request: CriuRequest): CriuResponse {
    this.#send(request);
    const { response } = this.#receive();
    this.#check(response);
    return response;
  }

  #send(request: CriuRequest): void {
    try {
      sendMessage(this.#socket.number, encodeRequest(request));
    } catch (error) {
      throw new CriuError(`criu ${endWords(this.end())}: ${(error as Error).message}`, this.#begun);
    }
  }

  #receive(): { response: CriuResponse; fds: readonly Fd[] } {
    try {
      this.#waitFor(this.#socket);
    } catch (error) {
      if (this.#ended === null) sendSignal(this.pid, SIGNALS.SIGKILL);
      throw error;
    }
    const message = receiveMessage(this.#socket.number);
    if (message === null) throw new CriuError(`criu ${endWords(this.end())} without an answer`, this.#begun);
    return { response: decodeResponse(message.payload), fds: message.fds };
  }

  #check({ type = TYPE.EMPTY, success, cr_errno, cr_errmsg }: CriuResponse): void {
    if (success === true) return;
    const name = Object.entries(TYPE).find(([, number]) => number === type)?.[0] ?? String(type);
    const said = cr_errmsg?.trim() || null;
    throw new CriuError(`criu failed: type ${name} errno ${cr_errno ?? 0}`, this.#begun, said);
  }

  #drain(): void {
    try {
      for (;;) {
        const { response, fds } = this.#receive();
        for (const fd of fds) fd.close();
        if (response.type !== TYPE.NOTIFY) return;
        this.#send({ type: TYPE.NOTIFY, notify_success: false });
      }
    } catch {
      // The failure that is reported came before.
    }
  }
}

const FEATURE_NAMES = {
  mem_track: "tracking of changed memory (CONFIG_MEM_SOFT_DIRTY)",
  lazy_pages: "lazy pages (userfaultfd with non-cooperative events)",
} as const;

/** What the version is called in errors. */
export function criuName(version: number): string {
  return `criu ${versionText(version)}`;
}

/** @returns `null` when the other end is gone @throws {Error} in the child's words */
function hear<T>(line: Fd): { prepared: T; socket: Fd } | null {
  const message = receiveMessage(line.number);
  if (message === null) return null;
  const said = JSON.parse(decode(message.payload)) as Line<T>;
  const [socket] = message.fds;
  if ("failed" in said || socket === undefined) throw new Error("failed" in said ? said.failed : "criu has no line");
  return { prepared: said.prepared, socket };
}

/** The child's part. It never returns: the code that called fork is the parent's. */
function become<T>(start: CriuStart<T>, parentsLine: Fd): never {
  let line = parentsLine;
  const say = (words: Line<T>, fds: readonly number[] = []) =>
    sendMessage(line.number, encode(JSON.stringify(words)), fds);
  try {
    const { result: prepared, passed } = start.prepare();
    // CRIU opens directories by the number that they have in the process at the other end. That is the one that has made the socket:
    // here it is CRIU itself, since what another process has open may be of another mount namespace.
    const [ours, theirs] = socketpair();
    say({ prepared }, [ours.number]);
    // First out of the way of the numbers that they are to have.
    const moved = [theirs, ...passed].map((fd) => duplicateAbove(fd, ABOVE));
    line = duplicateAbove(line, ABOVE);
    if (!start.withCallersKeys) ownProcessGroup();
    if (start.streams === "null") {
      const nothing = duplicateAbove(open("/dev/null", O.RDWR), ABOVE);
      for (const stream of [0, 1, 2]) duplicateOnto(nothing.number, stream);
    }
    closeOnExecFrom(FIRST_FD);
    moved.forEach((fd, index) => duplicateOnto(fd.number, FIRST_FD + index));
    resetSignalHandlers();
    setSignalMask();
    const errno = execve(start.path, ["criu", "swrk", String(FIRST_FD)], start.environment);
    throw new Error(`cannot execute ${start.path}: ${errnoText(errno)}`);
  } catch (error) {
    try {
      say({ failed: (error as Error).message });
    } finally {
      exit(1);
    }
  }
}
