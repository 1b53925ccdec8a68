/** Carries out the lifecycle steps. */
import { CgroupDescriptors } from "../cgroup/entrance.ts";
import { runHooks } from "../hooks/run.ts";
import type { LifecycleStep } from "../plan/lifecycle.ts";
import type { Handlers } from "../plan/step.ts";
import { forgetEnvironment } from "../sys/environment.ts";
import type { Fd } from "../sys/fd.ts";
import { readSome } from "../sys/io.ts";
import { POLL, poll } from "../sys/poll.ts";
import { exit, prctl } from "../sys/process.ts";
import { lockFile } from "../sys/record-lock.ts";
import { blockSignals, readSignal, SIGNALS, signalfd, signalMask } from "../sys/signal.ts";
import { isHungUp } from "../sys/socket.ts";
import type { InitContext } from "./context.ts";
import { closeDescriptors } from "./descriptors.ts";

const { SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM } = SIGNALS;

/** What ends an init that waits. As the first process of its pid namespace it would ignore them. @see pid_namespaces(7) */
const ENDING = signalMask([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);

export const lifecycleHandlers: Handlers<LifecycleStep, InitContext> = {
  "wait-for-parent": (_, context) => {
    // Kept until the wait for `start`, which may be long. Here, where this process has time.
    if (context.waits) blockSignals(ENDING);
    const admitted = context.channel.expect("admitted");
    if (admitted === null) return exit(1);
    new CgroupDescriptors(admitted.message.files, admitted.fds).enter();
  },
  "enter-cgroups": (_, { cgroups }) => cgroups?.enter(),
  "die-with-parent": (_, { channel }) => {
    prctl("SET_PDEATHSIG", SIGKILL);
    // It may have died before: then its end of the channel is closed, and no signal comes.
    if (isHungUp(channel.fd.number)) exit(1);
  },
  "parent-hooks": (_, context) => {
    context.channel.send({ type: "hooks" });
    waitForGo(context);
  },
  "container-hooks": ({ hook, hooks, state }, context) => {
    // A startContainer hook that says nothing of its environment has the process's, as it has with runc.
    const { environment, hookOutput: output } = context;
    const around = { ...(hook === "startContainer" && { environment }), ...(output && { output }) };
    runHooks(hook, hooks, { ...state, pid: context.pid }, around);
  },
  "stand-ready": ({ passed }, context) => {
    const { channel, startFifo, hookOutput, waits } = context;
    // Its end tells `start` that this process is the user's program, or has ended.
    if (startFifo !== null) lockFile(startFifo.number);
    // Should the parent die before it says that it may, this process ends with the channel.
    prctl("SET_PDEATHSIG", 0);
    forgetEnvironment(context.callersEnvironment);
    if (waits) context.endingSignals = signalfd(ENDING);
    closeDescriptors(passed, [channel.fd, startFifo, context.endingSignals, hookOutput?.stdout, hookOutput?.stderr]);
    channel.forgoDescriptors();
  },
  "report-ready": (_, context) => {
    context.channel.send({ type: "ready" });
    // The parent answers when the state is on disk: only then may this process outlive it.
    waitForGo(context);
    context.channel.close();
    context.ready = true;
  },
  "wait-for-start": (_, context) => {
    if (context.startFifo !== null) waitForStart(context.startFifo, context.endingSignals);
    context.started = true;
  },
};

/**
 * Waits for a byte in `exec.fifo`, or for a signal to end by, as a shell does: with 128 + its number. They stay blocked afterwards, until
 * all are reset for the program.
 * @param signals descriptor that brings {@link ENDING}, where those are blocked
 */
function waitForStart({ number: fifo }: Fd, signals: Fd | undefined): void {
  if (signals !== undefined) {
    while (!isReadable(fifo, signals.number)) {
      const signal = readSignal(signals.number);
      if (signal !== null) exit(128 + signal);
    }
  }
  readSome(fifo, new Uint8Array(1));
}

/** Waits until either can be read. @returns whether the first can, or has to be waited for as a filter of system calls denies this */
function isReadable(first: number, other: number): boolean {
  try {
    const seen = poll([first, other].map((fd) => ({ fd, events: POLL.IN })));
    return seen[0] !== 0;
  } catch {
    return true;
  }
}

/** Waits for the parent's word; without one this process has no reason to go on. */
function waitForGo(context: InitContext): void {
  if (context.channel.expect("go") === null) exit(1);
}
