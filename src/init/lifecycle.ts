/** Carries out the lifecycle steps. */
import type { LifecycleStep } from "../plan/lifecycle.ts";
import type { Actors } from "../plan/step.ts";
import { mustSyscall } from "../sys/error.ts";
import { exit } from "../sys/process.ts";
import type { InitContext } from "./context.ts";
import { runHooks } from "./hooks.ts";

export const lifecycleActors: Actors<LifecycleStep, InitContext> = {
  "wait-for-parent": (_, context) => waitForGo(context),
  "parent-hooks": (_, context) => {
    context.channel.send({ type: "hooks" });
    waitForGo(context);
  },
  "container-hooks": ({ hook, hooks, state }, context) => {
    // A startContainer hook that says nothing of its environment has the process's, as it has with runc.
    const inherited = hook === "startContainer" ? context.environment : [];
    const around = { environment: inherited, ...(context.hookOutput && { output: context.hookOutput }) };
    runHooks(hook, hooks, { ...state, pid: context.pid }, around);
  },
  "report-ready": (_, context) => {
    context.channel.send({ type: "ready" });
    // The parent answers when the state is on disk: only then may this process outlive it.
    waitForGo(context);
    context.channel.close();
    context.ready = true;
  },
  "wait-for-start": (_, context) => {
    const byte = Buffer.alloc(1);
    if (context.startFifo !== null) mustSyscall("read", context.startFifo.number, byte, 1);
    context.started = true;
  },
};

/** Waits for the parent's word; without one this process has no reason to go on. */
function waitForGo(context: InitContext): void {
  if (context.channel.receive()?.message.type !== "go") exit(1);
}
