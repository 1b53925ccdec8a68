/**
 * Starting another program and waiting for it, synchronously.
 *
 * Node's child_process starts threads and uses the event loop, which a forked child must not touch; `posix_spawn` is
 * sound in a process of any number of threads.
 */
import { monotonicTime } from "./clock.ts";
import { check, SyscallError } from "./error.ts";
import { closeOnExecFrom, Fd, FIRST_FD, O } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { setNonBlocking } from "./io.ts";
import { POLL, type PollEntry, poll } from "./poll.ts";
import { type ExitStatus, pidfdOpen, pidfdSendSignal, StringArray, sendSignal, waitPid } from "./process.ts";

const SIGKILL = 9;
/** How much of a program's output is kept for an error message, in bytes. */
const OUTPUT_LIMIT = 16384;

/** A program to run. */
export interface Program {
  path: string;
  /** The whole argv, the program's own name first. */
  args: readonly string[];
  /** `NAME=value` strings; nothing else is inherited. */
  environment: readonly string[];
  /** Working directory; the caller's own when left out. */
  cwd?: string;
  /** What it reads on its standard input. */
  input?: string;
  /** Where its output goes, instead of {@link Outcome}. */
  output?: { stdout: Fd | null; stderr: Fd | null };
  /** Milliseconds after which it is killed, and with it what it has started; none when left out. */
  timeout?: number;
  /** What is waited for besides: once it has been received, the program is killed as at a timeout. */
  interruption?: { wait: PollEntry; received(): string | null };
}

/** How a program ended. */
export interface Outcome {
  status: ExitStatus;
  timedOut: boolean;
  /** What {@link Program.interruption} said that it was killed for. */
  interrupted: string | null;
  /** What it wrote to its standard output and error, the first 16 KiB of each. */
  stdout: string;
  stderr: string;
}

/**
 * Runs a program to its end.
 * @throws {SyscallError} `run <path>` when it cannot be started
 * @see posix_spawn(3)
 */
export function runProgram(program: Program): Outcome {
  const [inputRead, inputWrite] = pipe();
  const [outRead, outWrite] = pipe();
  const [errRead, errWrite] = pipe();
  try {
    const { stdout, stderr } = program.output ?? {};
    // What our caller has left open is not the program's.
    closeOnExecFrom(FIRST_FD);
    const pid = posixSpawn(program, [inputRead.number, (stdout ?? outWrite).number, (stderr ?? errWrite).number]);
    for (const end of [inputRead, outWrite, errWrite]) end.close();
    return converse(pid, program, inputWrite, outRead, errRead);
  } finally {
    for (const end of [inputRead, inputWrite, outRead, outWrite, errRead, errWrite]) end.close();
  }
}

/**
 * Starts a program that reads and writes files, and goes on: whoever started it waits for it.
 * @param stdio its standard input, output and error
 * @returns its pid
 * @throws {SyscallError} `run <path>`
 */
export function startProgram(
  program: Pick<Program, "path" | "args" | "environment">,
  stdio: readonly [input: Fd, output: Fd, error: Fd],
): number {
  closeOnExecFrom(FIRST_FD);
  const [input, output, error] = stdio;
  return posixSpawn(program, [input.number, output.number, error.number]);
}

/** Feeds the program, collects its output, and waits until it has ended or its time is up. */
function converse(pid: number, program: Program, input: Fd, out: Fd, err: Fd): Outcome {
  using pidfd = pidfdOpen(pid);
  const deadline = program.timeout === undefined ? null : monotonicTime() + program.timeout;
  const collected = [new Output(out), new Output(err)] as const;
  let pending = Buffer.from(program.input ?? "");
  let timedOut = false;
  let interrupted: string | null = null;
  setNonBlocking(input.number);
  if (pending.length === 0) input.close();
  for (;;) {
    const entries = [
      { fd: pidfd.number, events: POLL.IN },
      { fd: collected[0].open ? out.number : -1, events: POLL.IN },
      { fd: collected[1].open ? err.number : -1, events: POLL.IN },
      { fd: pending.length > 0 ? input.number : -1, events: POLL.OUT },
      program.interruption?.wait ?? { fd: -1, events: 0 },
    ];
    const left = deadline === null ? null : Math.max(0, deadline - monotonicTime());
    const [ended, outReady, errReady, inputReady, asked] = poll(entries, left) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (outReady !== 0) collected[0].read();
    if (errReady !== 0) collected[1].read();
    if (inputReady !== 0) {
      const written = syscall("write", input.number, pending, pending.length);
      // A program that does not care for its input closes it: EPIPE is no failure.
      pending = written < 0 ? Buffer.alloc(0) : pending.subarray(written);
      if (pending.length === 0) input.close();
    }
    if (ended !== 0) break;
    if (asked !== 0) interrupted = program.interruption?.received() ?? null;
    timedOut = interrupted === null && deadline !== null && monotonicTime() >= deadline;
    if (timedOut || interrupted !== null) {
      // Before the program is reaped: its number is nobody else's until then.
      sendSignal(-pid, SIGKILL);
      pidfdSendSignal(pidfd.number, SIGKILL);
      break;
    }
  }
  const status = waitPid(pid);
  for (const output of collected) output.drain();
  return { status, timedOut, interrupted, stdout: collected[0].text, stderr: collected[1].text };
}

class Output {
  open = true;
  readonly #chunks: Buffer[] = [];
  #length = 0;

  constructor(readonly fd: Fd) {
    setNonBlocking(fd.number);
  }

  /** Reads what is there. @returns whether anything was */
  read(): boolean {
    const chunk = Buffer.alloc(4096);
    const length = syscall("read", this.fd.number, chunk, chunk.length);
    if (length === 0) this.open = false;
    if (length <= 0) return false;
    if (this.#length < OUTPUT_LIMIT) this.#chunks.push(chunk.subarray(0, length));
    this.#length += length;
    return true;
  }

  /** Takes what the program left behind, without waiting for those that still hold the other end. */
  drain(): void {
    while (this.#length < OUTPUT_LIMIT && this.read());
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** Makes a pipe, close-on-exec: the read end, the write end. @see pipe2(2) */
export function pipe(): [Fd, Fd] {
  const ends = new Int32Array(2);
  check(syscall("pipe2", ends, O.CLOEXEC), "pipe2");
  return [new Fd(ends[0] as number), new Fd(ends[1] as number)];
}

/**
 * Starts the program with the given standard descriptors, all signals unblocked and at their defaults, and in a process group of its
 * own: what it starts is in there, too, and can be killed with it.
 */
function posixSpawn(program: Program, stdio: readonly [number, number, number]): number {
  const must = (errno: number): void => {
    if (errno !== 0) throw new SyscallError(`run ${program.path}`, errno);
  };
  // The opaque structs take 80 and 336 bytes in glibc.
  const actions = Buffer.alloc(512);
  const attributes = Buffer.alloc(512);
  must(syscall("posix_spawn_file_actions_init", actions));
  must(syscall("posix_spawnattr_init", attributes));
  stdio.forEach((fd, number) => must(syscall("posix_spawn_file_actions_adddup2", actions, fd, number)));
  if (program.cwd !== undefined) must(syscall("posix_spawn_file_actions_addchdir_np", actions, program.cwd));
  const SETPGROUP = 2; // to a group of its own: the number of the group in the attributes stays 0
  const SETSIGDEF = 4;
  const SETSIGMASK = 8;
  must(syscall("posix_spawnattr_setflags", attributes, SETPGROUP | SETSIGDEF | SETSIGMASK));
  must(syscall("posix_spawnattr_setsigmask", attributes, Buffer.alloc(128)));
  must(syscall("posix_spawnattr_setsigdefault", attributes, Buffer.alloc(128, 0xff)));
  const argv = new StringArray(program.args);
  const envp = new StringArray(program.environment);
  const pid = new Int32Array(1);
  must(syscall("posix_spawn", pid, program.path, actions, attributes, argv.pointers, envp.pointers));
  must(syscall("posix_spawn_file_actions_destroy", actions));
  must(syscall("posix_spawnattr_destroy", attributes));
  return pid[0] as number;
}
