/** Stands in for a process in the foreground: passes signals and the terminal on, and waits for its end. */

import { SyscallError } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { POLL, poll } from "../sys/poll.ts";
import { type ExitStatus, pidfdSendSignal, reapAny, waitPid } from "../sys/process.ts";
import { allSignals, blockSignals, defaultSignal, readSignal, SIGNALS, signalfd, signalName } from "../sys/signal.ts";
import { getModes, setModes, setWindowSize, withoutNewlineTranslation } from "../sys/tty.ts";
import { CallerTerminal } from "./caller-terminal.ts";
import { passReadiness } from "./notify-socket.ts";
import type { Logger } from "./options.ts";
import { TerminalRelay } from "./terminal-relay.ts";

const { SIGCHLD, SIGCONT, SIGPIPE, SIGURG, SIGWINCH } = SIGNALS;

/** The signals of this process, held back for {@link superviseForeground}. */
export interface ForegroundSignals {
  /** The signalfd. */
  fd: Fd;
  /** The signal mask from before, for the process to be started. */
  maskBefore: BigUint64Array;
}

/**
 * Holds signals back from now on, so that none is lost between the fork and {@link superviseForeground}. To be called before
 * the fork; the child inherits the blocked mask and has to reset it.
 */
export function prepareForeground(): ForegroundSignals {
  // A caller that ignores SIGCHLD hands that on to us, and the kernel would then forget how children ended.
  defaultSignal(SIGCHLD);
  // Not SIGPIPE: the engine ignores it, and it would tell of our own writes.
  const signals = allSignals({ but: [SIGPIPE] });
  const maskBefore = blockSignals(signals);
  return { fd: signalfd(signals), maskBefore };
}

/**
 * Makes a new terminal's output and size as they are to be in the foreground. To be called as soon as its master is there and
 * before the process starts, so that its first output is treated right and it sees the right size from the beginning.
 * @throws {SyscallError} `TCSETS`, `TIOCSWINSZ`
 */
export function prepareTerminal(master: Fd): void {
  // The caller's terminal turns newlines into what it needs itself; a pipe or a file should get them as they are.
  setModes(master.number, withoutNewlineTranslation(getModes(master.number)));
  using caller = new CallerTerminal();
  const size = caller.size();
  if (size !== null) setWindowSize(master.number, size);
}

/** What there is to supervise. */
export interface Foreground {
  /** The process: a child of ours, or become one by its parent's end. */
  pid: number;
  pidfd: Fd;
  signals: ForegroundSignals;
  /** The master of its terminal, from {@link prepareTerminal}: taken over and closed. `null`: it has our standard streams. */
  master: Fd | null;
  /** Where a container says that it is ready, for the service manager: taken over and closed. */
  notified?: Fd | null;
  log: Logger;
}

/**
 * Waits for the end of a process. Until then every signal that this process gets goes to it, but SIGCHLD, SIGURG and
 * SIGPIPE; SIGWINCH sets the size of its terminal. Other children that end are reaped. The caller's terminal is raw
 * meanwhile, and as before afterwards; the process's terminal is closed.
 *
 * Returns at the process's own end, even if others still hold its terminal or pipes. Signals stay blocked.
 *
 * @throws {SyscallError} `wait for process`: ECHILD when it is no child of ours
 */
export function superviseForeground(foreground: Foreground): ExitStatus {
  const { master } = foreground;
  if (master === null) return new Supervisor(foreground, null).run();
  using relay = new TerminalRelay(master);
  using caller = new CallerTerminal();
  caller.enterRaw();
  return new Supervisor(foreground, { relay, caller }).run();
}

/** The process's terminal and the one that shows it. */
interface Terminals {
  relay: TerminalRelay;
  caller: CallerTerminal;
}

class Supervisor {
  readonly #process: Foreground;
  readonly #signals: number;
  readonly #terminals: Terminals | null;
  #notified: Fd | null;
  #status: ExitStatus | null = null;

  constructor(process: Foreground, terminals: Terminals | null) {
    this.#process = process;
    this.#signals = process.signals.fd.number;
    this.#terminals = terminals;
    this.#notified = process.notified ?? null;
  }

  run(): ExitStatus {
    const relay = this.#terminals?.relay;
    while (this.#status === null) {
      const own = [this.#signals, this.#process.pidfd.number, this.#notified?.number ?? -1];
      const waits = [...own.map((fd) => ({ fd, events: POLL.IN })), ...(relay?.waits() ?? [])];
      const [signalled, ended, said, ...shown] = poll(waits);
      if (signalled !== 0) this.#handleSignals();
      if (said !== 0) this.#passReadiness();
      relay?.handle(shown);
      if (ended !== 0) this.#status ??= waitPid(this.#process.pid);
    }
    this.#notified?.close();
    relay?.drain(this.#signals, () => this.#askedToLeave());
    return this.#status;
  }

  #handleSignals(): void {
    for (let signal = readSignal(this.#signals); signal !== null; signal = readSignal(this.#signals)) {
      if (signal === SIGCHLD) this.#reap();
      else if (signal === SIGWINCH) this.#resize();
      else if (signal !== SIGURG) this.#forward(signal);
    }
  }

  #passReadiness(): void {
    if (this.#notified === null || !passReadiness(this.#notified, this.#process.log)) return;
    this.#notified.close();
    this.#notified = null;
  }

  #reap(): void {
    for (let child = reapAny(); child !== null; child = reapAny()) {
      if (child.pid === this.#process.pid) this.#status = child.status;
    }
  }

  #resize(): void {
    const size = this.#terminals?.caller.size() ?? null;
    if (size !== null) this.#terminals?.relay.resize(size);
  }

  #forward(signal: number): void {
    if (signal === SIGCONT) {
      this.#terminals?.caller.enterRaw();
      this.#terminals?.relay.resumeInput();
    }
    if (this.#status !== null) return;
    this.#process.log.debug(`forwarding ${signalName(signal)} to process ${this.#process.pid}`);
    try {
      pidfdSendSignal(this.#process.pidfd.number, signal);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#process.log.warn(`cannot forward ${signalName(signal)}: ${error.message}`);
    }
  }

  /** Whether one of the signals that came after the process's end was meant for us. */
  #askedToLeave(): boolean {
    const harmless: number[] = [SIGCHLD, SIGWINCH, SIGURG, SIGCONT];
    for (let signal = readSignal(this.#signals); signal !== null; signal = readSignal(this.#signals)) {
      if (!harmless.includes(signal)) return true;
    }
    return false;
  }
}
