/** Makes a container: everything up to the moment at which its init waits for `start`. */

import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import { pidfdReceiver } from "../config/annotations.ts";
import { findMissingNamespaces } from "../config/validate/host.ts";
import { openHookOutput } from "../hooks/output.ts";
import { type HookOutput, runHooks } from "../hooks/run.ts";
import { containerHandlers } from "../init/container.ts";
import { runInit } from "../init/init.ts";
import { describeStep } from "../plan/plan.ts";
import type { SourceStep } from "../plan/rootfs.ts";
import { environmentRange } from "../sys/environment.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { join } from "../sys/path-names.ts";
import { pidfdOpen, prctl, processStat } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { clearContainer, warningOfStrays } from "./clear.ts";
import { checkTerminal, connectTo, sendPidfd } from "./console-socket.ts";
import { Conversation } from "./conversation.ts";
import { admit, type Forked, forkInit } from "./fork.ts";
import { writeIdMaps } from "./id-maps.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import { openSource, provideSource } from "./mount-sources.ts";
import { namingStep } from "./naming-step.ts";
import { moveNetDevices } from "./net-devices.ts";
import { makeNotifyDirectory } from "./notify-socket.ts";
import type { Context, CreateOptions } from "./options.ts";
import { writePidFile } from "./pid-file.ts";
import type { Prepared } from "./prepare.ts";
import { actOnProcess } from "./process-limits.ts";
import { handListenerOn, seccompFilter } from "./seccomp.ts";
import { stateDocument } from "./status.ts";
import {
  type Container,
  claimDirectory,
  containerDirectory,
  makeStartFifo,
  prepareState,
  removeDirectory,
  START_FIFO,
  saveConfig,
  saveContainer,
} from "./store.ts";

/** A container whose init waits for `start`. */
export interface Launched {
  container: Container;
  pid: number;
  pidfd: Fd;
  /** The master of the init's terminal, unless it went to `--console-socket`. */
  master: Fd | null;
  /** Held until this is closed: no other command works on the container meanwhile. */
  lock: Fd;
}

/** How the caller stays connected to the init. */
export interface LaunchOptions extends CreateOptions {
  detach: boolean;
  /** Whether the init is left waiting for `start` by another command. */
  waits: boolean;
  /** Signals that the caller blocked and the init must not. */
  signalMask?: BigUint64Array;
}

/**
 * Makes the container. Should anything fail, all that was made is cleared again.
 * @throws {Error} that names the step that failed
 */
export function launch(context: Context, prepared: Prepared, options: LaunchOptions): Launched {
  const { terminal = false } = prepared.process;
  checkTerminal({ terminal, detach: options.detach, consoleSocket: options.consoleSocket });
  using console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  using pidfdSocket = options.pidfdSocket ? connectTo("--pidfd-socket", options.pidfdSocket) : null;
  const receiverPath = pidfdReceiver(prepared.spec);
  using receiver = receiverPath === undefined ? null : connectTo("run.oci.pidfd_receiver", receiverPath);
  const filter = seccompFilter(context, prepared.spec);
  const lock = claimDirectory(context.root, options.id);
  try {
    // Before the state says that the cgroup is ours: what is cleared must not be another container's.
    openCgroup(prepared.container.cgroup).assertUnused();
  } catch (error) {
    removeDirectory(context.root, options.id);
    lock.close();
    throw error;
  }
  const launch = new Launch(context, prepared, options, lock, filter);
  try {
    return launch.run(console, [pidfdSocket, receiver]);
  } catch (error) {
    const reason = launch.reason(error as Error);
    const left = clearAfter(context, prepared);
    lock.close();
    throw left === null ? reason : new Error(`${reason.message}; ${left}`);
  }
}

/**
 * Clears what a failed launch leaves; that this fails too must not hide the first failure.
 * @returns what is to be said of what could not be cleared
 */
function clearAfter(context: Context, { container, spec }: Prepared): string | null {
  try {
    clearContainer(context, container, spec);
    return null;
  } catch (error) {
    return `container ${container.id} could not be cleared, delete it: ${(error as Error).message}`;
  }
}

class Launch {
  readonly #context: Context;
  readonly #prepared: Prepared;
  readonly #options: LaunchOptions;
  readonly #lock: Fd;
  readonly #container: Container;
  readonly #directory: string;
  readonly #cgroup: Cgroup;
  readonly #seccompFilter: Uint8Array | null;

  constructor(
    context: Context,
    prepared: Prepared,
    options: LaunchOptions,
    lock: Fd,
    seccompFilter: Uint8Array | null,
  ) {
    this.#context = context;
    this.#prepared = prepared;
    this.#options = options;
    this.#lock = lock;
    this.#seccompFilter = seccompFilter;
    this.#container = prepared.container;
    this.#directory = containerDirectory(context.root, prepared.container.id);
    this.#cgroup = openCgroup(prepared.container.cgroup);
  }

  run(console: Fd | null, pidfdSockets: readonly (Fd | null)[]): Launched {
    const { intelRdt } = this.#prepared.plan;
    const resctrl = intelRdt === null ? null : new ResctrlGroup(intelRdt);
    if (resctrl?.removable) this.#container.resctrl = resctrl.removable;
    // What is about to be made is on disk before it is made: whatever kills us, `delete` finds what to clear.
    this.#save();
    makeStartFifo(this.#context.root, this.#container.id);
    makeNotifyDirectory(this.#directory);
    this.#cgroup.create(this.#prepared.resources, 2);
    using hookOutput = openHookOutput(this.#prepared.spec, this.#container.bundle);
    const forked = this.#fork(hookOutput);
    const conversation = new Conversation(forked, console, this.#context.log);
    try {
      this.#admit(forked);
      // Side by side with the init: root may do it whoever the init is by now.
      resctrl?.create(forked.pid);
      saveConfig(this.#context.root, this.#container.id, this.#prepared.spec);
      this.#container.init = { pid: forked.pid, startTime: processStat(forked.pid)?.startTime ?? 0 };
      return this.#finish(forked, conversation, pidfdSockets, hookOutput);
    } catch (error) {
      throw conversation.abandon(error as Error);
    }
  }

  /** The failure to report: where the kernel killed for want of memory, all else is a consequence. */
  reason(error: Error): Error {
    // What clone3(2) says of a kind of namespace that the kernel was built without.
    const missing = hasErrno(error, "EINVAL") ? findMissingNamespaces(this.#prepared.spec)[0] : undefined;
    if (missing !== undefined) return missing;
    if (this.#cgroup.oomKills() === 0) return error;
    return new Error(`container init was OOM-killed (memory limit too low?): ${error.message}`);
  }

  #fork(hookOutput: HookOutput | null): Forked {
    const { plan } = this.#prepared;
    const inherited = openSources(plan.sources);
    const { waits } = this.#options;
    using startFifo = open(join(this.#directory, START_FIFO), O.RDWR);
    using entrance = this.#cgroup.entrance();
    if (plan.namespaces.undumpable) prctl("SET_DUMPABLE", 0);
    const callersEnvironment = environmentRange();
    const forked = forkInit(plan.namespaces, entrance, (channel) => {
      this.#lock.close();
      if (this.#options.signalMask !== undefined) setSignalMask(this.#options.signalMask);
      const trace = this.#context.log.tracing;
      return runInit(plan.init, containerHandlers, {
        channel,
        inherited,
        callersEnvironment,
        startFifo,
        waits,
        trace,
        seccompFilter: this.#seccompFilter,
        ...(hookOutput && { hookOutput }),
      });
    });
    for (const fd of inherited.values()) fd.close();
    return forked;
  }

  /** What the init waits for. */
  #admit(forked: Forked): void {
    const { namespaces, host, netDevices } = this.#prepared.plan;
    if (namespaces.idMaps !== null) writeIdMaps(forked.pid, namespaces.idMaps, this.#prepared.host.euid);
    this.#cgroup.create(this.#prepared.resources, 1);
    this.#container.cgroup = this.#cgroup.location;
    const warning = warningOfStrays(this.#container, this.#prepared.spec);
    if (warning !== null) this.#context.log.warn(warning);
    actOnProcess(host, { pid: forked.pid, log: this.#context.log });
    moveNetDevices(netDevices, forked.pid);
    this.#restrictDevices();
    using cgroups = this.#cgroup.openTasks();
    admit(forked, cgroups);
    this.#cgroup.release();
  }

  /** Answers the init until it waits for `start`. */
  #finish(
    forked: Forked,
    conversation: Conversation,
    pidfdSockets: readonly (Fd | null)[],
    hookOutput: HookOutput | null,
  ): Launched {
    const limit = once(() => this.#limit());
    const pidfd = pidfdOpen(forked.pid);
    // Written beside the init's own work, and seen by others when that is done. Hooks change it, and are to find it `creating`.
    const complete = this.#hasHooks ? null : this.#prepareComplete();
    conversation.untilReady((request) => {
      if (request.type === "source") return this.#provideSource(request.name, forked);
      if (request.type === "listener") return this.#handListenerOn(request.fd, forked, pidfd);
      limit();
      this.#save();
      this.#runHooks(forked.pid, hookOutput);
      forked.channel.send({ type: "go" });
    });
    limit();
    for (const socket of pidfdSockets) if (socket !== null) sendPidfd(socket, pidfd, "init");
    if (this.#options.pidFile) writePidFile(this.#options.pidFile, forked.pid);
    (complete ?? this.#prepareComplete())();
    conversation.close();
    return { container: this.#container, pid: forked.pid, pidfd, master: conversation.master, lock: this.#lock };
  }

  /**
   * Every set of rules lets the init make devices, and open those that it needs itself; but on cgroup v1 there is a moment,
   * between the first rule and the last, in which nothing is allowed. So it must not have entered.
   */
  #restrictDevices(): void {
    if (this.#prepared.host.inUserNamespace) return;
    const { resources, spec } = this.#prepared;
    const { devices = [] } = spec.linux ?? {};
    this.#cgroup.setResources({ ...(resources.devices && { devices: resources.devices }) }, { devices });
  }

  /** After most of the init's own work, so that a tight limit does not fail the runtime instead of the container. */
  #limit(): void {
    this.#cgroup.setResources(this.#prepared.resources, { skipDevices: true });
  }

  /** Whether the init will ask for the hooks of the runtime's namespaces. */
  get #hasHooks(): boolean {
    return this.#prepared.plan.init.some(({ kind }) => kind === "parent-hooks");
  }

  /** @returns what makes it known that the container is complete */
  #prepareComplete(): () => void {
    this.#container.complete = true;
    return prepareState(this.#context.root, this.#container);
  }

  #provideSource(name: string, { pid, channel }: Forked): void {
    const step = this.#prepared.plan.sources.find((source) => source.name === name);
    if (step === undefined || step.kind === "id-mapping")
      throw new Error(`the init asked for an unknown source ${name}`);
    namingStep(
      () => describeStep(step),
      () => {
        using source = provideSource(step, pid);
        channel.send({ type: "source" }, [source.number]);
      },
    );
  }

  #handListenerOn(listener: number, { pid, channel }: Forked, pidfd: Fd): void {
    const state = { ...stateDocument(this.#container, "creating"), pid };
    handListenerOn(this.#prepared.spec, state, { pid, pidfd, listener });
    channel.send({ type: "heard" });
  }

  #runHooks(pid: number, output: HookOutput | null): void {
    const { hooks } = this.#prepared.spec;
    const state = { ...stateDocument(this.#container, "creating"), pid };
    const around = { cwd: this.#container.bundle, ...(output && { output }) };
    runHooks("prestart", hooks?.prestart, state, around);
    runHooks("createRuntime", hooks?.createRuntime, state, around);
  }

  #save(): void {
    saveContainer(this.#context.root, this.#container);
  }
}

/** Makes a function that acts at its first call only. */
function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

/** Opens what the init needs opened by its parent; a failure names the step. */
function openSources(steps: readonly SourceStep[]): Map<string, Fd> {
  const opened = new Map<string, Fd>();
  for (const step of steps) {
    const fd = namingStep(
      () => describeStep(step),
      () => openSource(step),
    );
    if (fd !== null) opened.set(step.name, fd);
  }
  return opened;
}
