/** `exec`: another process in a running container. */

import { CgroupDescriptors, Entrance } from "../cgroup/entrance.ts";
import type { ExecTarget } from "../cgroup/join.ts";
import { openCgroup } from "../cgroup/manager.ts";
import { parseSubCgroups } from "../cgroup/sub-cgroups.ts";
import type { Process, Spec } from "../config/types.ts";
import type { Channel, InitMessage, ParentMessage } from "../init/channel.ts";
import { execHandlers } from "../init/exec.ts";
import { closeOthers, runInit } from "../init/init.ts";
import { describeExecParent, type ExecParentStep, type ExecPlan, planExec } from "../plan/exec.ts";
import type { Handlers } from "../plan/step.ts";
import { environmentRange, forgetEnvironment } from "../sys/environment.ts";
import { callerNofileLimit } from "../sys/executable.ts";
import { exitCode, prctl } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { checkTerminal, connectionsOf, connectReceivers, connectTo } from "./console-socket.ts";
import { Conversation, type Request } from "./conversation.ts";
import { execProcess } from "./exec-process.ts";
import { prepareForeground, superviseForeground } from "./foreground.ts";
import { admit, forkInto } from "./fork.ts";
import { hostFacts } from "./host.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import { Interruption } from "./interruption.ts";
import { type Joined, openNamespaces } from "./joined-namespaces.ts";
import { OwnOomScore } from "./oom-score.ts";
import type { Context, ExecOptions } from "./options.ts";
import { carryOut, conversationOf, type ParentContext, pidfdOf, sharedHandlers } from "./parent-steps.ts";
import { checkPidFile } from "./pid-file.ts";
import { preservedDescriptors } from "./preserved-fds.ts";
import { handListenerOn, seccompFilter } from "./seccomp.ts";
import { containerStatus, isAlive, stateDocument } from "./status.ts";
import { loadContainer, loadSavedConfig, type ProcessIdentity } from "./store.ts";

/**
 * Runs a process in a container.
 * @returns its exit code, 128 + n when signal n ended it; 0 at once with `detach`
 * @throws {NoSuchContainerError}
 * @throws {Error} when the container does not run, or the process cannot be started
 */
export function execInContainer(context: Context, options: ExecOptions): number {
  const container = loadContainer(context.root, options.id);
  const status = containerStatus(context.root, container);
  if (status === "stopped" || status === "creating") throw new Error(`cannot exec in a ${status} container`);
  if (status === "paused" && !options.ignorePaused) {
    throw new Error("cannot exec in a paused container (use --ignore-paused to override)");
  }
  const spec = loadSavedConfig(context.root, options.id);
  const process = execProcess(options.process, spec);
  checkTerminal({ terminal: process.terminal ?? false, detach: options.detach, consoleSocket: options.consoleSocket });
  // The process does not wait for the file: it may be the user's program by then.
  if (options.pidFile) checkPidFile(options.pidFile);
  using console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  const planned = planExecOf(options, spec, process);
  using sockets = connectReceivers(planned.parent);
  const signals = options.detach ? null : prepareForeground();
  const interruption = signals === null ? Interruption.ofDetached() : Interruption.ofForeground(signals);
  using joined = openNamespaces((container.init as ProcessIdentity).pid, spec);
  using filter = seccompFilter(context, spec);
  const shared: ExecContext = {
    ...{ context, container, spec, console, sockets, joined, purpose: "exec" },
    cgroup: openCgroup(container.cgroup),
    place: { sub: parseSubCgroups(options.cgroups), initPid: joined.tid },
    steps: planned.init,
    seccompFilter: filter?.take() ?? null,
    interruption,
    ...{ conversation: null, pidfd: null },
    answer: (request) => answerProcess(request, shared),
  };
  try {
    carryOut(planned.parent, execParentHandlers, describeExecParent, shared);
  } catch (error) {
    // Each call has an errno of its own for that: clone(2) says ENOMEM of a pid namespace whose init is gone.
    if (isAlive(container.init)) throw error;
    throw new Error(`the container has ended meanwhile: ${(error as Error).message}`);
  }
  if (signals === null) return 0;
  const { pid, master } = conversationOf(shared);
  return exitCode(superviseForeground({ pid, pidfd: pidfdOf(shared), signals, master, log: context.log }));
}

/** What is to be done for another process of a container. */
export function planExecOf(options: ExecOptions, spec: Spec, process: Process): ExecPlan {
  const { preserved, activated } = preservedDescriptors(options.preserveFds);
  return planExec({
    id: options.id,
    process,
    spec,
    host: hostFacts(),
    noNewKeyring: false,
    passedFds: preserved,
    listenFds: activated,
    softNofile: callerNofileLimit(),
    ...connectionsOf(options),
  });
}

/** What the handlers share besides. */
interface ExecContext extends ParentContext {
  readonly joined: Joined;
  readonly place: ExecTarget;
  /** Of the process. */
  readonly steps: ExecPlan["init"];
  readonly seccompFilter: Uint8Array | null;
  readonly interruption: Interruption;
}

const execParentHandlers: Handlers<ExecParentStep, ExecContext> = {
  ...sharedHandlers,
  "fork-into": ({ oomScoreAdj }, context) => {
    const score = oomScoreAdj === null ? null : new OwnOomScore(oomScoreAdj);
    // A process of the container could attach to one that has just come in, and reach the host through what that still
    // holds (CVE-2016-9962): undumpable, it cannot be attached to, nor its /proc files be opened.
    prctl("SET_DUMPABLE", 0);
    try {
      score?.set();
      forkProcess(context);
    } finally {
      score?.restore();
    }
  },
  "move-to-cgroups": (_, context) => context.cgroup.join(conversationOf(context).pid, context.place),
  "join-class-of-service": ({ plan }, context) => new ResctrlGroup(plan).join(conversationOf(context).pid),
  // It has entered its cgroups by itself, or been moved there.
  admit: (_, context) => admit(conversationOf(context).channel, new CgroupDescriptors([], [])),
};

function forkProcess(context: ExecContext): void {
  const { steps, joined, place, cgroup, seccompFilter } = context;
  const { log } = context.context;
  // For what must come before the cgroup the process does not enter that by itself: it is moved there while it runs.
  const enters = steps.some(({ kind }) => kind === "enter-cgroups");
  using cgroups = enters ? cgroup.openTasks(place) : new CgroupDescriptors([], []);
  using entrance = enters ? cgroup.entrance(place) : new Entrance(null);
  const callersEnvironment = environmentRange();
  const main = (channel: Channel<InitMessage, ParentMessage>) => {
    setSignalMask(context.interruption.maskBefore);
    return runInit(steps, execHandlers, {
      channel,
      inherited: new Map(),
      callersEnvironment,
      trace: log.tracing,
      cgroups,
      seccompFilter,
    });
  };
  const forked = forkInto(joined.pidfd, joined.types, entrance, main, (kept) => {
    closeOthers(steps, [...kept, ...cgroups.tasks]);
    forgetEnvironment(callersEnvironment);
  });
  context.conversation = new Conversation(forked, context.console, log, context.interruption, "exec");
  entrance.settle(forked.pid);
}

function answerProcess(request: Request, context: ExecContext): void {
  if (request.type !== "listener") throw new Error(`unexpected message from the process: ${request.type}`);
  const { pid, channel } = conversationOf(context);
  const state = stateDocument(context.container, "running");
  handListenerOn(context.spec, state, { pid, pidfd: pidfdOf(context), listener: request.fd });
  channel.send({ type: "heard" });
}
