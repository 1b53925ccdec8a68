/** The parent's side of the line to a forked process, until that is set up. */
import type { InitMessage } from "../init/channel.ts";
import { hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { POLL, poll } from "../sys/poll.ts";
import { type ExitStatus, endWords, killChild, waitPid } from "../sys/process.ts";
import { SIGNALS } from "../sys/signal.ts";
import { sendMaster } from "./console-socket.ts";
import { prepareTerminal } from "./foreground.ts";
import type { Forked } from "./fork.ts";
import type { Interruption } from "./interruption.ts";
import type { Logger } from "./options.ts";

/** A message that only some processes send; what is not here is answered by {@link Conversation} itself. */
export type Request = Extract<InitMessage, { type: "source" | "filter" | "listener" }>;

/**
 * What the log calls the milestones of a process that is being set up: the words of runc's own log, which its test suite, and what people
 * have written for it, look for.
 */
const FORKED = "nsexec container setup";
const BEGUN = "child process in init()";
const READY = { init: "init: closing the pipe to signal completion", exec: "setns_init: about to exec" } as const;

/** Answers a forked process's messages. */
export class Conversation {
  /** The master of the process's terminal, unless it went to `--console-socket`. */
  master: Fd | null = null;
  #allowed = false;
  /** Whether the process has said anything. */
  #begun = false;
  /** Whether the process has said that it is set up: it may be the user's program since. */
  #ready = false;
  /** Whether it has been given a filter of system calls. */
  #filtered = false;
  /** Whether it has said why it fails. */
  #failed = false;
  /** How the process has ended, once that is known: it is reaped then, and its pid may be another's. */
  #end: ExitStatus | null = null;

  /**
   * @param console the socket that gets the terminal's master; `null` where it is for the foreground
   * @param purpose what the process will be; `null` for one that only helps
   */
  constructor(
    private readonly forked: Forked,
    private readonly console: Fd | null,
    private readonly log: Logger,
    private readonly interruption: Interruption | null = null,
    private readonly purpose: "init" | "exec" | null = null,
  ) {
    this.#reach(FORKED);
  }

  get pid(): number {
    return this.forked.pid;
  }

  get channel(): Forked["channel"] {
    return this.forked.channel;
  }

  /**
   * Answers until the process waits for the parent's hooks, or reports that it is set up.
   * @param answer carries out what the process asks of its parent
   * @throws {Error} with the process's own words when it fails, or with the way it died; at a request to end
   */
  until(wanted: "hooks" | "ready", answer: (request: Request) => void): void {
    for (;;) {
      this.interruption?.waitFor(this.forked.channel.fd);
      const received = this.forked.channel.receive();
      if (received === null) throw new Error(this.#died());
      const { message, fds } = received;
      if (!this.#begun) this.#reach(BEGUN);
      this.#begun = true;
      if (message.type === "ready") {
        if (this.purpose !== null) this.#reach(READY[this.purpose]);
        this.#ready = true;
      }
      if (message.type === wanted) return;
      if (message.type === "error") {
        this.#failed = true;
        throw failed(message.message);
      }
      if (message.type === "warning") this.log.warn(message.message);
      else if (message.type === "debug") this.log.debug(`init: ${message.message}`);
      else if (message.type === "terminal") this.#takeTerminal(fds[0] as Fd);
      else if (message.type === "filter") {
        this.#filtered = true;
        answer(message);
      } else if (message.type === "source" || message.type === "listener") answer(message);
      else throw new Error(`unexpected message from the forked process: ${message.type}`);
    }
  }

  /**
   * Ends the process, for which something has failed.
   * @param error what has failed here. That may follow from what has befallen the process before: nothing can be done for one that
   *   has ended.
   * @returns what to say
   */
  abandon(error: Error): Error {
    const cause = this.#cause(error);
    if (this.#end === null) killChild(this.forked.pid);
    return cause;
  }

  #cause(error: Error): Error {
    if (this.#ready || this.#failed || this.#end !== null) return error;
    const { fd } = this.forked.channel;
    while ((poll([{ fd: fd.number, events: POLL.IN }], 0)[0] ?? 0) & POLL.IN) {
      const message = this.forked.channel.receive()?.message;
      if (message?.type === "error") return failed(message.message);
      if (message?.type === "ready") return error;
      if (message !== undefined) continue;
      const died = this.#died();
      return new Error(hasErrno(error, "EPIPE", "ESRCH") ? died : `${error.message}; ${died}`, { cause: error });
    }
    return error;
  }

  /** Lets the process go on as soon as it is set up: it need not wait for an answer then, which is a third of a millisecond. */
  allow(): void {
    this.#allowed = true;
    try {
      this.forked.channel.send({ type: "go" });
    } catch (error) {
      // It is gone: {@link until} will say why.
      if (!hasErrno(error, "EPIPE")) throw error;
    }
  }

  /** Lets the process go on, and ends the conversation. */
  close(): void {
    // Before what the process itself says.
    this.log.release();
    if (!this.#allowed) this.forked.channel.send({ type: "go" });
    this.forked.channel.close();
  }

  #reach(milestone: string): void {
    if (this.purpose !== null && this.log.tracing) this.log.debug(milestone);
  }

  #takeTerminal(master: Fd): void {
    if (this.console === null) {
      prepareTerminal(master);
      this.master = master;
    } else {
      sendMaster(this.console, master);
      master.close();
    }
  }

  /** How the process has ended that did not say why. */
  #died(): string {
    this.#end = waitPid(this.forked.pid);
    // What the filter denies the last steps, or the engine in between, cannot be said by a process that may not write either.
    const isKilled = this.#end.kind === "signaled" && this.#end.signal === SIGNALS.SIGKILL;
    const isSeccomps = this.#filtered || (this.#end.kind === "signaled" && this.#end.signal === SIGNALS.SIGSYS);
    const hint = isSeccomps && !isKilled ? ": its seccomp profile may forbid what that takes" : "";
    return `the process ${endWords(this.#end)} while it was being set up${hint}`;
  }
}

function failed(reason: string): Error {
  return new Error(`unable to start container process: ${reason}`);
}
