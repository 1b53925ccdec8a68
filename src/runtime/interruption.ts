/** Requests to end, by signal, that come while a container is made. */

import type { Fd } from "../sys/fd.ts";
import { readText } from "../sys/file.ts";
import { POLL, type PollEntry, poll } from "../sys/poll.ts";
import {
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

const { SIGHUP, SIGINT, SIGQUIT, SIGTERM } = SIGNALS;
const ENDING = signalMask([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);

/** Holds requests to end back, for who asks: a container that is half-made can be cleared away then, which a signal's default action leaves. */
export class Interruption {
  /** The signal mask from before, for the process to be started. */
  readonly maskBefore: SignalMask;
  readonly #signals: Fd;

  constructor() {
    this.maskBefore = blockSignals(ENDING);
    this.#signals = signalfd(ENDING);
  }

  /** To be waited for, with {@link received} afterwards. */
  get wait(): PollEntry {
    return { fd: this.#signals.number, events: POLL.IN };
  }

  /** The request that has come, in words; `null`: none. A signal that this process was told to ignore, as by nohup(1), is none. */
  received(): string | null {
    for (let signal = readSignal(this.#signals.number); signal !== null; signal = readSignal(this.#signals.number)) {
      // A blocked signal is kept even if it is ignored: signal(7) promises nothing else.
      if (!ignoredSignals(readText("/proc/self/status")).includes(signal))
        return `interrupted by ${signalName(signal)}`;
    }
    return null;
  }

  /** Waits until a descriptor can be read. @throws {Error} at a request to end that comes before */
  waitFor(fd: Fd): void {
    for (;;) {
      const [readable, signalled] = poll([{ fd: fd.number, events: POLL.IN }, this.wait]);
      const request = signalled === 0 ? null : this.received();
      if (request !== null) throw new Error(request);
      if (readable !== 0) return;
    }
  }

  /** Lets signals do again what they did before. */
  release(): void {
    setSignalMask(this.maskBefore);
    this.#signals.close();
  }
}
