/**
 * Carries out the steps of processes that are never to be: by the process of which the build takes a snapshot (`src/engine/`).
 *
 * A function that is called for the first time is found and linked then, which takes 10 µs or more and memory of its own. What a forked
 * init calls first would be so in each init, since a process that ended has taken its memory along: 150 functions, a fifth of a `run`. So this
 * process does to itself what an init does. What the kernel keeps of it (namespaces, root, capabilities) is in no snapshot.
 */

import { Channel, type InitMessage, type ParentMessage } from "../init/channel.ts";
import { containerHandlers } from "../init/container.ts";
import type { InitContext } from "../init/context.ts";
import { execHandlers } from "../init/exec.ts";
import { beginInit, type InitInput, type StepHandlers } from "../init/init.ts";
import type { InitStep } from "../plan/plan.ts";
import { environmentRange } from "../sys/environment.ts";
import { memoryFile, memoryFileOf } from "../sys/memory-file.ts";
import { setPropagation } from "../sys/mount.ts";
import { unshare } from "../sys/namespace.ts";
import { socketpair } from "../sys/socket.ts";
import { planExecOf } from "./exec.ts";
import { execProcess } from "./exec-process.ts";
import type { Context, CreateOptions, ExecOptions } from "./options.ts";
import { prepare } from "./prepare.ts";
import { keepInstead } from "./seccomp.ts";

/** Which signals this process ignores goes into the snapshot. */
const LEFT_OUT: ReadonlySet<InitStep["kind"]> = new Set(["reset-signals"]);

/** A program that cannot be executed, so that the last step comes back. */
const NO_PROGRAM = "/";

/** A filter that allows all: one instruction, BPF_RET with SECCOMP_RET_ALLOW. */
const ALLOWING = Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]);

/**
 * Keeps a filter for a configuration that is rehearsed: to build one would bring the builder's libseccomp into the snapshot.
 * @throws {Error} where there is none
 */
export function keepFilterFor(context: Context, bundle: string, config: string): void {
  keepInstead(context, prepare(context, creation(bundle, config)).spec, ALLOWING);
}

/**
 * Does what the init of a container does, and another process of it.
 * @param bundle the container's
 * @param config its configuration; of its filter, if there is any, nothing is loaded but what allows all
 * @throws {SyscallError} `unshare`, to one who may not make namespaces; then nothing has been done
 */
export function rehearseInits(context: Context, bundle: string, config: string): void {
  const { plan, spec, host } = prepare(context, creation(bundle, config));
  const options = execution();
  const exec = planExecOf(options, spec, execProcess(options.process, spec));
  unshare([...(host.euid === 0 ? [] : (["user"] as const)), "mount", "uts", "ipc", "network", "cgroup"]);
  setPropagation("/", "private", true);
  carryOut(plan.init, containerHandlers);
  carryOut(exec.init, execHandlers);
}

function carryOut<S extends InitStep>(steps: readonly S[], { handlers }: StepHandlers<S>): void {
  const table = handlers as unknown as Record<string, (step: S, context: InitContext) => void>;
  const context = beginInit(steps, input());
  for (const step of steps) {
    if (LEFT_OUT.has(step.kind)) continue;
    try {
      table[step.kind]?.(step, context);
    } catch {
      // What cannot be done here, such as showing cgroups that were not made, is done the first time later.
    }
    if (step.kind === "find-executable") context.executable = NO_PROGRAM;
  }
}

function input(): InitInput {
  const [parents, inits] = socketpair();
  const parent = new Channel<ParentMessage, InitMessage>(parents);
  // What the init waits for has been said before; of a cgroup, and of the fifo that it waits for, it need not know what they are.
  using cgroup = memoryFile("cgroup");
  parent.send({ type: "admitted", files: [{ path: "", optional: true }] }, [cgroup.number]);
  parent.send({ type: "go" });
  return {
    channel: new Channel(inits),
    inherited: new Map(),
    callersEnvironment: environmentRange(),
    trace: false,
    startFifo: memoryFileOf("start", Buffer.from("0")),
    waits: true,
    seccompFilter: ALLOWING,
    // No hook is run: so the parent's end is not closed with what is the host's.
    hookOutput: { stdout: parents, stderr: null },
  };
}

function creation(bundle: string, config: string): CreateOptions {
  return { id: "rehearsal", bundle, config, preserveFds: 0, noPivot: false, noNewKeyring: false };
}

function execution(): ExecOptions {
  return {
    id: "rehearsal",
    detach: false,
    preserveFds: 0,
    ignorePaused: false,
    cgroups: [],
    process: { kind: "flags", args: ["/exit"], tty: false, additionalGids: [], env: [], capabilities: [] },
  };
}
