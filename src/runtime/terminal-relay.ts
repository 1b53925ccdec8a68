/** Shows a container's terminal on the standard streams of this process. */
import { type Fd, O, open } from "../sys/fd.ts";
import { setNonBlocking } from "../sys/io.ts";
import { POLL, type PollEntry, poll } from "../sys/poll.ts";
import { isHangup, isTerminal, openSlave, setWindowSize, type WindowSize } from "../sys/tty.ts";
import { Pump, type Turn } from "./pump.ts";

/**
 * The most that is shown after the process has ended, in bytes. The kernel holds a fraction of that; what comes beyond is
 * the work of other processes on the terminal, which may go on for ever.
 */
const DRAIN_BYTES = 1 << 20;

/** Copies stdin to the terminal and the terminal to stdout. */
export class TerminalRelay implements Disposable {
  readonly #master: Fd;
  readonly #reopened: Fd | null;
  readonly #input: Pump;
  readonly #output: Pump;
  /**
   * The terminal's other end. Held open, since without it the master is hung up, for ever readable, whenever the
   * container's processes have all closed theirs, though one may open it again at any time.
   */
  #slave: Fd | null;
  #inputState: "open" | "paused" | "closed" = "open";
  #outputState: "open" | "closed" = "open";

  /** Takes the master over: it is closed with the relay. */
  constructor(master: Fd, stdin = 0, stdout = 1) {
    this.#master = master;
    setNonBlocking(master.number);
    this.#slave = openSlave(master);
    this.#reopened = isTerminal(stdout) ? reopenTerminal(stdout) : null;
    this.#input = new Pump(stdin, master.number);
    this.#output = new Pump(master.number, this.#reopened?.number ?? stdout);
  }

  /** What to wait for; its answer goes to {@link handle}. */
  waits(): PollEntry[] {
    const idle: PollEntry = { fd: -1, events: 0 }; // poll(2) passes over negative descriptors
    return [
      this.#inputState === "open" ? this.#input.wait : idle,
      this.#outputState === "open" ? this.#output.wait : idle,
    ];
  }

  /** Copies what is ready. @param events what poll saw for each entry of {@link waits} */
  handle([input = 0, output = 0]: readonly number[]): void {
    if (input !== 0 && this.#inputState === "open") this.#afterInput(this.#input.turn());
    if (output !== 0 && this.#outputState === "open") this.#afterOutput(this.#output.turn());
  }

  /** Sets the terminal's size, unless it is hung up. */
  resize(size: WindowSize): void {
    if (this.#outputState === "open") setWindowSize(this.#master.number, size);
  }

  /** Reads stdin again, if it refused because this process was in the background of its terminal. */
  resumeInput(): void {
    if (this.#inputState === "paused") this.#inputState = "open";
  }

  /**
   * Shows what is left when the process has ended.
   * @param interrupt readable when the caller no longer wants it
   * @param interrupted asked then whether to stop
   */
  drain(interrupt: number, interrupted: () => boolean): void {
    let left = DRAIN_BYTES;
    while (this.#outputState === "open" && (left > 0 || this.#output.holdsBytes)) {
      if (this.#output.holdsBytes) {
        const [asked] = poll([{ fd: interrupt, events: POLL.IN }, this.#output.wait]);
        if (asked !== 0 && interrupted()) return;
      }
      const held = this.#output.holdsBytes;
      const turn = this.#output.turn();
      if (turn.kind !== "moved") return;
      if (turn.bytes === 0 && !held && !this.#output.holdsBytes) return;
      left -= turn.bytes;
    }
  }

  [Symbol.dispose](): void {
    this.#hangUp();
    this.#reopened?.close();
  }

  #afterInput(turn: Turn): void {
    if (turn.kind === "moved") return;
    // At the end of stdin the terminal stays open: the process may have more to show.
    if (turn.kind === "source-failed" && isHangup(turn.error)) this.#inputState = "paused";
    else if (turn.kind !== "sink-failed" || !isHangup(turn.error) || !this.#reopenSlave()) this.#inputState = "closed";
  }

  #afterOutput(turn: Turn): void {
    if (turn.kind === "moved") return;
    if (turn.kind === "source-failed" && isHangup(turn.error) && this.#reopenSlave()) return;
    // Nobody can see the terminal any more: hang up, so that its processes learn of it.
    this.#hangUp();
  }

  /** A process has hung the terminal up (vhangup(2), as a getty does): our end with it. */
  #reopenSlave(): boolean {
    this.#slave?.close();
    this.#slave = null;
    try {
      this.#slave = openSlave(this.#master);
      return true;
    } catch {
      return false;
    }
  }

  #hangUp(): void {
    this.#inputState = "closed";
    this.#outputState = "closed";
    this.#slave?.close();
    this.#slave = null;
    this.#master.close();
  }
}

/**
 * Opens a terminal again, non-blocking: poll(2) calls it writable when it takes one byte more, and to make the descriptor
 * that we were given non-blocking would make it so for the caller, too.
 * @returns `null` where that is not allowed (after su(1), the terminal is another user's): then writing may wait
 */
function reopenTerminal(fd: number): Fd | null {
  try {
    return open(`/proc/self/fd/${fd}`, O.WRONLY | O.NONBLOCK | O.NOCTTY);
  } catch {
    return null;
  }
}
