/** Requests to end, by signal, that come while a container is made. */

import type { Fd } from "../sys/fd.ts";
import { readText } from "../sys/file.ts";
import { POLL, type PollEntry, poll } from "../sys/poll.ts";
import {
  allSignals,
  blockSignals,
  ignoredSignals,
  readSignal,
  SIGNALS,
  type SignalMask,
  setSignalMask,
  signalfd,
  signalMask,
  signalName,
} from "../sys/signal.ts";
import type { ForegroundSignals } from "./foreground.ts";

const { SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH } =
  SIGNALS;

/** What somebody sends who wants a program to end. */
const REQUESTS = signalMask([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);

/** Whatever would end this process by its default action, but SIGKILL and SIGPIPE: our own writes say EPIPE. @see signal(7) */
const ENDING = allSignals({ but: [SIGPIPE, SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU] });

/** Holds signals that end this process back, for who asks: what is half-made can be cleared away then, which a signal's default action leaves. */
export class Interruption {
  /** @param maskBefore the signal mask from before, for the process to be started */
  private constructor(
    readonly maskBefore: SignalMask,
    private readonly signals: Fd,
  ) {}

  /** For a command that leaves while the process runs: by every signal that would end this one. */
  static ofDetached(): Interruption {
    return new Interruption(blockSignals(ENDING), signalfd(ENDING));
  }

  /**
   * For one that stays with the process, and will hand signals on to it: by those alone that ask for an end. Nobody may wait for a process that
   * never comes to run.
   */
  static ofForeground({ maskBefore }: ForegroundSignals): Interruption {
    return new Interruption(maskBefore, signalfd(REQUESTS));
  }

  /** To be waited for, with {@link received} afterwards. */
  get wait(): PollEntry {
    return { fd: this.signals.number, events: POLL.IN };
  }

  /** The request that has come, in words; `null`: none. A signal that this process was told to ignore, as by nohup(1), is none. */
  received(): string | null {
    for (let signal = readSignal(this.signals.number); signal !== null; signal = readSignal(this.signals.number)) {
      // A blocked signal is kept even if it is ignored: signal(7) promises nothing else.
      if (!ignoredSignals(readText("/proc/self/status")).includes(signal))
        return `interrupted by ${signalName(signal)}`;
    }
    return null;
  }

  /**
   * Waits until a descriptor can be read. @throws {Error} at a request to end that comes before
   *
   * What is there to read comes first: that a process is ready may lie there, and it be the program by now, whose signal this is.
   */
  waitFor(fd: Fd): void {
    for (;;) {
      const [readable] = poll([{ fd: fd.number, events: POLL.IN }, this.wait]);
      if (readable !== 0) return;
      const request = this.received();
      if (request !== null) throw new Error(request);
    }
  }

  /** Lets signals do again what they did before. */
  release(): void {
    setSignalMask(this.maskBefore);
    this.signals.close();
  }
}
