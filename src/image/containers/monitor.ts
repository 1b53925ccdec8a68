/**
 * What watches a container: one process of its own, which starts it, keeps its log, and writes down how it ended.
 *
 * Whoever starts it hears of it by lines of JSON on its stdout ({@link Message}), which is a pipe, and may end then. When a monitor is killed, its
 * container goes on: that has both ends of its fifos, so that it gets no SIGPIPE, and what it writes waits there for the next monitor, which
 * the next command on containers starts.
 *
 * One thread of control, no event loop: a poll of the container's pidfd, its two fifos, and whoever sees the output as it comes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ERRNO } from "../../sys/errno.ts";
import { check, hasErrno } from "../../sys/error.ts";
import { duplicateOnto, type Fd, O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { exitCode, pidfdOpen, prctl, waitPid } from "../../sys/process.ts";
import { isMounted, mountRootfs, unmountRootfs } from "../bundle/marker.ts";
import { tryLock } from "../store/lock.ts";
import type { Store } from "../store/store.ts";
import { writeAllTo } from "../store/write.ts";
import { readStateFile } from "./damaged.ts";
import { readState } from "./find.ts";
import { clearInRuntime, runtimeState } from "./in-runtime.ts";
import { LogWriter } from "./log-file.ts";
import { startPasta, stopPasta } from "./pasta.ts";
import { bootId, exitCodeOf, identify, isAlive } from "./process.ts";
import { type Container, containerPath, isThere, type State, writeState } from "./record.ts";
import { removeEnded } from "./remove.ts";
import { runRuntime, withoutProgram } from "./runtime.ts";
import { Stream } from "./streams.ts";
import { ConsoleSocket, Keyboard, SIZE_INTERVAL } from "./terminal.ts";

/** What a monitor says. */
export type Message =
  | { kind: "started" }
  | { kind: "failed"; message: string }
  /** Of who attached, nobody reads the output any more. */
  | { kind: "unheard" }
  | { kind: "exited"; code: number | null };

/** Descriptors of an attached monitor: where the container's output goes besides the log. */
const TEE = { stdout: 3, stderr: 4 } as const;
/** Where it speaks. */
const SPEECH = 1;

/**
 * What a monitor is there for: `start`; `attach`, where descriptors 3 and 4 get the output, too, and 0 is the input; `recover`, to take over
 * from one that was killed, and clear what that has left where the process has ended, or had not begun.
 */
export type Purpose = "start" | "attach" | "recover";

/** Starts a container, or takes over one that runs, and stays until it has ended. */
export async function monitor(store: Store, container: Container, purpose: Purpose): Promise<void> {
  const attached = purpose === "attach";
  using held = await take(containerPath(store, container.id, "monitor"));
  if (held === null) return say({ kind: "failed", message: `${container.name} is watched already` });
  process.chdir("/");
  const streams = (["stdout", "stderr"] as const).map(
    (name) => new Stream(store, container, name, attached ? TEE[name] : null),
  );
  let child: Child;
  let opened: LogWriter;
  try {
    // First: what cannot be written must not end a monitor whose container runs.
    opened = new LogWriter(containerPath(store, container.id, "log"), container.logSize);
    const adopted = adopt(store, container);
    if (adopted === null && purpose === "recover") throw new Error("its start was interrupted");
    child = adopted ?? start(store, container, streams, attached);
  } catch (error) {
    const { message } = error as Error;
    clear(store, container);
    const startedAt = null;
    writeEnd(store, container, { phase: "exited", startedAt, finishedAt: null, exitCode: null, error: message });
    return say({ kind: "failed", message });
  }
  using log = opened;
  say({ kind: "started" });
  quiet();
  const code = await watch(child, streams, log);
  child.keyboard?.close();
  const startedAt = startOf(store, container);
  const finishedAt = new Date().toISOString();
  writeEnd(store, container, { phase: "exited", startedAt, finishedAt, exitCode: code, error: null });
  clear(store, container);
  held.close();
  if (container.autoRemove) await removeEnded(store, container);
  say({ kind: "exited", code });
}

/** Nobody wants to know it of a container that has been removed meanwhile. */
function writeEnd(store: Store, container: Container, state: State): void {
  try {
    writeState(store, container, state);
  } catch (error) {
    if (isThere(store, container.id)) throw error;
  }
}

/** @returns `null` where what is written down has been lost since: it is written anew then */
function startOf(store: Store, container: Container): string | null {
  const kept = readStateFile(store, container.id);
  return kept.is === "sound" && kept.document.phase === "running" ? kept.document.startedAt : null;
}

/** Locks a monitor's file, which others may have for a moment to see whether there is a monitor. @returns `null` when there is */
async function take(path: string): Promise<Fd | null> {
  for (let tries = 0; tries < 20; tries++) {
    const file = tryLock(path, "exclusive");
    if (file !== null) return file;
    await sleep(10);
  }
  return null;
}

/** The process of a container. */
interface Child {
  pid: number;
  /** `null` when it had ended before anybody looked. */
  pidfd: Fd | null;
  /** Whether it is this process's to reap. */
  isOwn: boolean;
  /** What is typed for its terminal; `null` where it has none, or nobody is attached. */
  keyboard: Keyboard | null;
}

/** The process of a container that another monitor has started; it may have ended. */
function adopt(store: Store, container: Container): Child | null {
  const state = readState(store, container);
  if (state.phase !== "running") return null;
  const { pid } = state.process;
  // The other one was killed before the last step.
  if (runtimeState(store, container)?.status === "created") runRuntime(container, ["start", container.name]);
  return { pid, pidfd: isAlive(state.process) ? pidfdOpen(pid) : null, isOwn: false, keyboard: null };
}

function start(store: Store, container: Container, streams: readonly Stream[], attached: boolean): Child {
  const { id, name } = container;
  const bundle = containerPath(store, id, "bundle");
  // What an interrupted start has left.
  clearInRuntime(store, container);
  writeState(store, container, { phase: "starting", bootId: bootId() });
  if (!isMounted(bundle)) mountRootfs(bundle);
  // The container's process becomes a child of this one when `create` has ended.
  prctl("SET_CHILD_SUBREAPER", 1);
  const [out, err] = streams as [Stream, Stream];
  const input = attached && container.interactive && !container.tty ? 0 : ("ignore" as const);
  using socket = container.tty ? new ConsoleSocket(containerPath(store, id)) : undefined;
  const terminal = socket === undefined ? [] : ["--console-socket", socket.path];
  // What `create` has to say of an error comes out of the fifo.
  const create = ["create", ...terminal, "--bundle", bundle, name];
  const { code } = runRuntime(container, create, [input, out.writeEnd(), err.writeEnd()]);
  if (code !== 0) throw new Error(withoutProgram(err.takeText()) || `the runtime ended with exit code ${code}`);
  const master = socket?.master() ?? null;
  if (master !== null) out.readFrom(master);
  const keyboard = master !== null && attached ? new Keyboard(0, master) : null;
  const pid = runtimeState(store, container)?.pid ?? 0;
  const identity = identify(pid);
  if (identity === null) throw new Error(`${name} ended before it was started`);
  // Before it can end: it is our child, so that its number stays its own until it is reaped.
  const pidfd = pidfdOpen(pid);
  if (container.network === "pasta") startPasta(store, container, pid);
  writeState(store, container, { phase: "running", process: identity, startedAt: new Date().toISOString() });
  const started = runRuntime(container, ["start", name]);
  if (started.code !== 0) throw new Error(started.error);
  for (const stream of streams) stream.closeWriteEnd();
  return { pid, pidfd, isOwn: true, keyboard };
}

/** Undoes what a start does; what is not there is fine. */
function clear(store: Store, container: Container): void {
  stopPasta(store, container);
  clearInRuntime(store, container);
  unmountRootfs(containerPath(store, container.id, "bundle"));
}

/** Bytes that a pipe takes without waiting when poll(2) says that it takes any. */
const PIPE_BUF = 4096;

/** Moves output until the process has ended and all is read. @returns its exit code */
async function watch(
  { pid, pidfd, isOwn, keyboard }: Child,
  streams: readonly Stream[],
  log: LogWriter,
): Promise<number | null> {
  let ended = pidfd === null;
  for (;;) {
    let moved = false;
    const typed = keyboard?.waitsFor ?? { fd: -1, isForOutput: false };
    const ready = poll(
      [
        { fd: ended ? -1 : (pidfd?.number ?? -1), events: POLL.IN },
        { fd: SPEECH, events: 0 },
        { fd: ended ? -1 : typed.fd, events: typed.isForOutput ? POLL.OUT : POLL.IN },
        ...streams.map(({ number, tee, pending }) =>
          pending.length > 0 && tee !== null ? { fd: tee, events: POLL.OUT } : { fd: number, events: POLL.IN },
        ),
      ],
      ended ? 0 : keyboard === null ? null : SIZE_INTERVAL,
    );
    if ((ready[2] ?? 0) !== 0) keyboard?.move();
    keyboard?.resize();
    if ((ready[0] ?? 0) !== 0) ended = true;
    // Whoever attached has gone.
    if (((ready[1] ?? 0) & (POLL.ERR | POLL.HUP)) !== 0) {
      keyboard?.close();
      letGo(streams);
    }
    streams.forEach((stream, index) => {
      if ((ready[index + 3] ?? 0) !== 0) moved = move(stream, log) || moved;
    });
    // Of a terminal that nobody has open, which another process may open again.
    if (!ended && !moved && ready.slice(3).some((events) => (events & POLL.HUP) !== 0)) await sleep(20);
    const isWaited = streams.some(({ pending, tee }) => pending.length > 0 && tee !== null);
    if (!ended || moved) continue;
    if (!isWaited) break;
    await sleep(20);
  }
  const time = new Date().toISOString();
  for (const { encoder } of streams) keep(log, encoder.flush(time));
  if (pidfd === null) return null;
  return isOwn ? exitCode(waitPid(pid)) : await exitCodeOfOther(pid, pidfd);
}

/** @returns whether anything was moved */
function move(stream: Stream, log: LogWriter): boolean {
  if (stream.pending.length > 0 && stream.tee !== null) {
    const written = syscall("write", stream.tee, stream.pending, Math.min(PIPE_BUF, stream.pending.length));
    if (written === -ERRNO.EPIPE) say({ kind: "unheard" });
    if (written < 0) stream.tee = null;
    stream.pending = written < 0 ? new Uint8Array(0) : stream.pending.subarray(written);
    return true;
  }
  const bytes = stream.take();
  if (bytes === null) return false;
  keep(log, stream.encoder.add(bytes, new Date().toISOString()));
  if (stream.tee !== null) stream.pending = bytes;
  return true;
}

/** A full disk costs lines of the log, not the container. */
function keep(log: LogWriter, lines: Uint8Array): void {
  try {
    log.write(lines);
  } catch (error) {
    if (!hasErrno(error, "ENOSPC", "EDQUOT", "EIO", "EFBIG")) throw error;
  }
}

/** Its parent reaps it at some time. */
async function exitCodeOfOther(pid: number, pidfd: Fd): Promise<number | null> {
  for (let tries = 0; tries < 50; tries++) {
    const code = exitCodeOf(pid, pidfd);
    if (code !== null) return code;
    await sleep(20);
  }
  return null;
}

function say(message: Message): void {
  try {
    writeAllTo(SPEECH, Buffer.from(`${JSON.stringify(message)}\n`), "stdout");
  } catch (error) {
    if (!hasErrno(error, "EPIPE")) throw error;
  }
}

/** Lets go of the caller's stderr, which somebody may be waiting for the end of. */
function quiet(): void {
  using nothing = open("/dev/null", O.RDWR);
  duplicateOnto(nothing.number, 2);
}

/** Keeps nothing of what was the caller's: somebody may be waiting for the end of it. */
function letGo(streams: readonly Stream[]): void {
  using nothing = open("/dev/null", O.RDWR);
  const attached = streams.flatMap((stream) => stream.attached ?? []);
  for (const stream of streams) stream.tee = null;
  for (const descriptor of [0, SPEECH, ...attached]) duplicateOnto(nothing.number, descriptor);
}

/** Makes the fifos of a container. @throws {SyscallError} */
export function makeFifos(store: Store, { id }: Container): void {
  for (const name of ["stdout", "stderr"] as const) {
    const path = containerPath(store, id, name);
    check(syscall("mknodat", -100, path, 0o010600, 0), () => `make ${path}`);
  }
}
