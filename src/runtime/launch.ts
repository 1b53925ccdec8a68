/** Makes a container: everything up to the moment at which its init waits for `start`. */
import { join } from "node:path";
import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import type { InitMessage } from "../init/channel.ts";
import { runHooks } from "../init/hooks.ts";
import { runInit } from "../init/init.ts";
import { describeStep } from "../plan/plan.ts";
import type { SourceStep } from "../plan/rootfs.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { exitCode, killChild, pidfdOpen, processStat, waitPid } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { checkTerminal, connectTo, sendMaster, sendPidfd } from "./console-socket.ts";
import { clearContainer } from "./clear.ts";
import { type Forked, forkInit } from "./fork.ts";
import { prepareTerminal } from "./foreground.ts";
import { writeIdMaps } from "./id-maps.ts";
import { openSource, provideSource } from "./mount-sources.ts";
import { makeNotifyDirectory } from "./notify-socket.ts";
import type { Context, CreateOptions } from "./options.ts";
import { moveNetDevices } from "./net-devices.ts";
import { writePidFile } from "./pid-file.ts";
import type { Prepared } from "./prepare.ts";
import { actOnProcess } from "./process-limits.ts";
import { stateDocument } from "./status.ts";
import {
  claimDirectory,
  type Container,
  containerDirectory,
  makeStartFifo,
  saveConfig,
  saveContainer,
  START_ERROR,
  START_FIFO,
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
  const console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  const pidfdSocket = options.pidfdSocket ? connectTo("--pidfd-socket", options.pidfdSocket) : null;
  const lock = claimDirectory(context.root, options.id);
  try {
    return new Launch(context, prepared, options, lock, console, pidfdSocket).run();
  } catch (error) {
    clearContainer(context, prepared.container, prepared.spec);
    lock.close();
    throw error;
  } finally {
    console?.close();
    pidfdSocket?.close();
  }
}

class Launch {
  readonly #context: Context;
  readonly #prepared: Prepared;
  readonly #options: LaunchOptions;
  readonly #lock: Fd;
  readonly #console: Fd | null;
  readonly #pidfdSocket: Fd | null;
  readonly #container: Container;
  readonly #directory: string;
  #master: Fd | null = null;

  constructor(
    context: Context,
    prepared: Prepared,
    options: LaunchOptions,
    lock: Fd,
    console: Fd | null,
    pidfdSocket: Fd | null,
  ) {
    this.#context = context;
    this.#prepared = prepared;
    this.#options = options;
    this.#lock = lock;
    this.#console = console;
    this.#pidfdSocket = pidfdSocket;
    this.#container = prepared.container;
    this.#directory = containerDirectory(context.root, prepared.container.id);
  }

  run(): Launched {
    // What is about to be made is on disk before it is made: whatever kills us, `delete` finds what to clear.
    saveConfig(this.#context.root, this.#container.id, this.#prepared.spec);
    this.#save();
    makeStartFifo(this.#context.root, this.#container.id);
    makeNotifyDirectory(this.#directory);
    const cgroup = this.#makeCgroup();
    const forked = this.#fork(cgroup);
    this.#container.init = { pid: forked.pid, startTime: processStat(forked.pid)?.startTime ?? 0 };
    try {
      this.#admit(forked);
      this.#converse(forked, cgroup);
    } catch (error) {
      killChild(forked.pid);
      throw error;
    }
    const pidfd = pidfdOpen(forked.pid);
    if (this.#pidfdSocket !== null) sendPidfd(this.#pidfdSocket, pidfd, "init");
    if (this.#options.pidFile) writePidFile(this.#options.pidFile, forked.pid);
    return { container: this.#container, pid: forked.pid, pidfd, master: this.#master, lock: this.#lock };
  }

  #makeCgroup(): Cgroup {
    const cgroup = openCgroup(this.#container.cgroup);
    cgroup.assertUnused();
    cgroup.create(this.#prepared.spec.linux?.resources);
    this.#container.cgroup = cgroup.location;
    return cgroup;
  }

  /** After most of the init's own work, so that a tight limit does not fail the runtime instead of the container. */
  #limit(cgroup: Cgroup): void {
    const { resources, devices = [] } = this.#prepared.spec.linux ?? {};
    if (resources !== undefined) cgroup.setResources(resources, { devices });
  }

  #fork(cgroup: Cgroup): Forked {
    const { plan } = this.#prepared;
    const inherited = openSources(plan.sources);
    using startFifo = open(join(this.#directory, START_FIFO), O.RDWR);
    using startError = open(join(this.#directory, START_ERROR), O.WRONLY | O.CREAT, 0o600);
    using entrance = cgroup.entrance();
    const forked = forkInit(plan.namespaces, entrance, (channel) => {
      this.#lock.close();
      if (this.#options.signalMask !== undefined) setSignalMask(this.#options.signalMask);
      return runInit(plan.init, { channel, inherited, startFifo, startError });
    });
    for (const fd of inherited.values()) fd.close();
    return forked;
  }

  /** What only the parent can do for the init, before it does anything itself. */
  #admit({ pid, channel }: Forked): void {
    const { namespaces, host, netDevices } = this.#prepared.plan;
    const target = { pid, log: this.#context.log };
    if (namespaces.idMaps !== null) writeIdMaps(pid, namespaces.idMaps, this.#prepared.host.euid);
    actOnProcess(host.beforeCgroup, target);
    actOnProcess(host.afterCgroup, target);
    moveNetDevices(netDevices, pid);
    channel.send({ type: "go" });
  }

  /** Answers the init until it waits for `start`. */
  #converse(forked: Forked, cgroup: Cgroup): void {
    let limited = false;
    for (;;) {
      const received = forked.channel.receive();
      if (received === null) throw new Error(this.#died(forked.pid));
      const { message, fds } = received;
      if (!limited && (message.type === "ready" || message.type === "hooks")) {
        this.#limit(cgroup);
        limited = true;
      }
      if (message.type === "ready") break;
      this.#answer(message, fds, forked);
    }
    this.#container.complete = true;
    this.#save();
    forked.channel.send({ type: "go" });
    forked.channel.close();
  }

  #answer(message: InitMessage, fds: Fd[], { pid, channel }: Forked): void {
    switch (message.type) {
      case "hooks":
        this.#save();
        this.#runHooks(pid);
        return channel.send({ type: "go" });
      case "terminal":
        this.#master = fds[0] as Fd;
        if (this.#console === null) return prepareTerminal(this.#master);
        sendMaster(this.#console, this.#master);
        this.#master.close();
        this.#master = null;
        return;
      case "source":
        return this.#provideSource(message.name, pid, channel);
      case "warning":
        return this.#context.log.warn(message.message);
      case "error":
        throw new Error(message.message);
      default:
        throw new Error(`unexpected message from the init: ${message.type}`);
    }
  }

  #provideSource(name: string, pid: number, channel: Forked["channel"]): void {
    const step = this.#prepared.plan.sources.find((source) => source.name === name);
    if (step?.kind !== "open-source") throw new Error(`the init asked for an unknown source ${name}`);
    try {
      using source = provideSource(step, pid);
      channel.send({ type: "source" }, [source.number]);
    } catch (error) {
      throw new Error(`${describeStep(step)}: ${(error as Error).message}`);
    }
  }

  #runHooks(pid: number): void {
    const { hooks } = this.#prepared.spec;
    const state = { ...stateDocument(this.#container, "creating"), pid };
    runHooks("prestart", hooks?.prestart, state, this.#container.bundle);
    runHooks("createRuntime", hooks?.createRuntime, state, this.#container.bundle);
  }

  /** Why there is no init any more, when it did not say so itself. */
  #died(pid: number): string {
    const code = exitCode(waitPid(pid));
    return `the container's init died while it was being set up (exit code ${code}${code > 128 ? ", killed" : ""})`;
  }

  #save(): void {
    saveContainer(this.#context.root, this.#container);
  }
}

/** Opens what the init needs opened by its parent; a failure names the step. */
function openSources(steps: readonly SourceStep[]): Map<string, Fd> {
  const opened = new Map<string, Fd>();
  for (const step of steps) {
    try {
      const fd = openSource(step);
      if (fd !== null) opened.set(step.name, fd);
    } catch (error) {
      throw new Error(`${describeStep(step)}: ${(error as Error).message}`);
    }
  }
  return opened;
}
