/** `exec`: another process in a running container. */

import { CgroupDescriptors, Entrance } from "../cgroup/entrance.ts";
import { openCgroup } from "../cgroup/manager.ts";
import { parseSubCgroups } from "../cgroup/sub-cgroups.ts";
import type { Process, Spec } from "../config/types.ts";
import type { Channel, InitMessage, ParentMessage } from "../init/channel.ts";
import { execHandlers } from "../init/exec.ts";
import { closeOthers, runInit } from "../init/init.ts";
import { type ExecPlan, type ExecStep, planExec } from "../plan/exec.ts";
import { environmentRange, forgetEnvironment } from "../sys/environment.ts";
import { callerNofileLimit } from "../sys/executable.ts";
import type { Fd } from "../sys/fd.ts";
import { exitCode, pidfdOpen, prctl } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { checkTerminal, connectTo, sendPidfd } from "./console-socket.ts";
import { Conversation } from "./conversation.ts";
import { execProcess } from "./exec-process.ts";
import { type ForegroundSignals, prepareForeground, superviseForeground } from "./foreground.ts";
import { admit, type Forked, forkInto } from "./fork.ts";
import { hostFacts } from "./host.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import { type Joined, openNamespaces } from "./joined-namespaces.ts";
import type { Context, ExecOptions } from "./options.ts";
import { writePidFile } from "./pid-file.ts";
import { preservedDescriptors } from "./preserved-fds.ts";
import { actOnProcess } from "./process-limits.ts";
import { handListenerOn, seccompFilter } from "./seccomp.ts";
import { containerStatus, stateDocument } from "./status.ts";
import { type Container, loadContainer, loadSavedConfig, type ProcessIdentity } from "./store.ts";

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
  using console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  using pidfdSocket = options.pidfdSocket ? connectTo("--pidfd-socket", options.pidfdSocket) : null;
  const signals = options.detach ? null : prepareForeground();
  const exec = new Exec(context, options, container, spec);
  const { pid, pidfd, master } = exec.run(process, signals, console, pidfdSocket);
  if (signals === null) return 0;
  return exitCode(superviseForeground({ pid, pidfd, signals, master, log: context.log }));
}

interface Started {
  pid: number;
  pidfd: Fd;
  master: Fd | null;
}

class Exec {
  readonly #context: Context;
  readonly #options: ExecOptions;
  readonly #container: Container;
  readonly #spec: Spec;
  readonly #init: ProcessIdentity;

  constructor(context: Context, options: ExecOptions, container: Container, spec: Spec) {
    this.#context = context;
    this.#options = options;
    this.#container = container;
    this.#spec = spec;
    this.#init = container.init as ProcessIdentity;
  }

  run(process: Process, signals: ForegroundSignals | null, console: Fd | null, pidfdSocket: Fd | null): Started {
    const plan = this.#plan(process);
    const cgroup = openCgroup(this.#container.cgroup);
    const filter = seccompFilter(this.#context, this.#spec);
    using joined = openNamespaces(this.#init.pid, this.#spec);
    const place = { sub: parseSubCgroups(this.#options.cgroups), initPid: joined.tid };
    const does = (kind: ExecStep["kind"]) => plan.init.some((step) => step.kind === kind);
    // For what must come before the cgroup the process does not enter that by itself: it is moved there while it runs.
    const enters = does("enter-cgroups");
    using cgroups = enters ? cgroup.openTasks(place) : new CgroupDescriptors([], []);
    const forked = this.#fork(
      plan.init,
      joined,
      signals,
      enters ? cgroup.entrance(place) : new Entrance(null),
      cgroups,
      filter,
    );
    const conversation = new Conversation(forked, console, this.#context.log);
    try {
      actOnProcess(plan.host, { pid: forked.pid, log: this.#context.log });
      if (!enters) cgroup.join(forked.pid, place);
      if (plan.intelRdt !== null) new ResctrlGroup(plan.intelRdt).join(forked.pid);
      if (does("wait-for-parent")) admit(forked, new CgroupDescriptors([], []));
      // Nothing is left to be done for it, but what may as well be done while it runs.
      const listens = plan.init.some((step) => step.kind === "load-seccomp-filter" && step.listens);
      if (!process.terminal && !listens && pidfdSocket === null) conversation.allow();
      return this.#finish(forked, conversation, pidfdSocket);
    } catch (error) {
      throw conversation.abandon(error as Error);
    }
  }

  #plan(process: Process): ExecPlan {
    const { preserved, activated } = preservedDescriptors(this.#options.preserveFds);
    return planExec({
      id: this.#container.id,
      process,
      spec: this.#spec,
      host: hostFacts(),
      noNewKeyring: false,
      passedFds: preserved,
      listenFds: activated,
      softNofile: callerNofileLimit(),
    });
  }

  #fork(
    steps: ExecPlan["init"],
    { pidfd, types }: Joined,
    signals: ForegroundSignals | null,
    entrance: Entrance,
    cgroups: CgroupDescriptors,
    seccompFilter: Uint8Array | null,
  ): Forked {
    using _ = entrance;
    // A process of the container could attach to one that has just come in, and reach the host through what that still
    // holds (CVE-2016-9962): undumpable, it cannot be attached to, nor its /proc files be opened.
    prctl("SET_DUMPABLE", 0);
    const callersEnvironment = environmentRange();
    const main = (channel: Channel<InitMessage, ParentMessage>) => {
      if (signals !== null) setSignalMask(signals.maskBefore);
      const trace = this.#context.log.tracing;
      return runInit(steps, execHandlers, {
        channel,
        inherited: new Map(),
        callersEnvironment,
        trace,
        cgroups,
        seccompFilter,
      });
    };
    return forkInto(pidfd, types, entrance, main, (kept) => {
      closeOthers(steps, [...kept, ...cgroups.tasks]);
      forgetEnvironment(callersEnvironment);
    });
  }

  #finish(forked: Forked, conversation: Conversation, pidfdSocket: Fd | null): Started {
    const pidfd = pidfdOpen(forked.pid);
    conversation.untilReady((request) => {
      if (request.type !== "listener") throw new Error(`unexpected message from the process: ${request.type}`);
      const state = stateDocument(this.#container, "running");
      handListenerOn(this.#spec, state, { pid: forked.pid, pidfd, listener: request.fd });
      forked.channel.send({ type: "heard" });
    });
    if (pidfdSocket !== null) sendPidfd(pidfdSocket, pidfd, "exec");
    if (this.#options.pidFile) writePidFile(this.#options.pidFile, forked.pid);
    conversation.close();
    return { pid: forked.pid, pidfd, master: conversation.master };
  }
}
