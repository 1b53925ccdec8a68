/** Carries out the lifecycle steps. */
import { CgroupDescriptors } from "../cgroup/entrance.ts";
import type { LifecycleStep } from "../plan/lifecycle.ts";
import type { Handlers } from "../plan/step.ts";
import { check } from "../sys/error.ts";
import { readReleasing } from "../sys/memory.ts";
import { exit, prctl } from "../sys/process.ts";
import { endBy, SIGNALS } from "../sys/signal.ts";
import { isHungUp } from "../sys/socket.ts";
import type { InitContext } from "./context.ts";
import { runHooks } from "./hooks.ts";

const { SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM } = SIGNALS;

export const lifecycleHandlers: Handlers<LifecycleStep, InitContext> = {
  "wait-for-parent": (_, context) => {
    // Whoever stops a container that was not started yet would wait in vain otherwise, and have to kill it. Here, where this
    // process has time.
    if (context.waits) endBy([SIGHUP, SIGINT, SIGQUIT, SIGTERM]);
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
  "report-ready": (_, context) => {
    prctl("SET_PDEATHSIG", 0);
    context.channel.send({ type: "ready" });
    // The parent answers when the state is on disk: only then may this process outlive it.
    waitForGo(context);
    context.channel.close();
    context.ready = true;
  },
  "wait-for-start": (_, context) => {
    const byte = new Uint8Array(1);
    const fifo = context.startFifo?.number;
    if (fifo !== undefined) check(readReleasing(fifo, byte, context.releasable), "read exec.fifo");
    context.started = true;
  },
};

/** Waits for the parent's word; without one this process has no reason to go on. */
function waitForGo(context: InitContext): void {
  if (context.channel.expect("go") === null) exit(1);
}
