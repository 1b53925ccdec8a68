/** `exec`: a further process in a running container. */
import { Entrance } from "../cgroup/entrance.ts";
import { openCgroup } from "../cgroup/manager.ts";
import { parseSubCgroups } from "../cgroup/sub-cgroups.ts";
import type { NamespaceType, Process, Spec } from "../config/types.ts";
import type { InitMessage } from "../init/channel.ts";
import { runInit } from "../init/init.ts";
import { planFurtherProcess } from "../plan/plan.ts";
import { statSync } from "node:fs";
import type { Fd } from "../sys/fd.ts";
import { NAMESPACE_FILES } from "../sys/namespace.ts";
import { exitCode, killChild, pidfdOpen, prctl } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { checkTerminal, connectTo, sendMaster, sendPidfd } from "./console-socket.ts";
import { execProcess } from "./exec-process.ts";
import { type ForegroundSignals, prepareForeground, prepareTerminal, superviseForeground } from "./foreground.ts";
import { type Forked, forkInto } from "./fork.ts";
import { hostFacts } from "./host.ts";
import type { Context, ExecOptions } from "./options.ts";
import { callerNofileLimit, actOnProcess } from "./process-limits.ts";
import { writePidFile } from "./pid-file.ts";
import { preservedDescriptors } from "./preserved-fds.ts";
import { containerStatus } from "./status.ts";
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
  const exec = new Exec(context, options, container, spec, process, signals);
  const { pid, pidfd, master } = exec.run(console, pidfdSocket);
  if (signals === null) return 0;
  return exitCode(superviseForeground({ pid, pidfd, signals, master, log: context.log }));
}

interface Started {
  pid: number;
  pidfd: Fd;
  master: Fd | null;
}

class Exec {
  #master: Fd | null = null;

  constructor(
    readonly context: Context,
    readonly options: ExecOptions,
    readonly container: Container,
    readonly spec: Spec,
    readonly process: Process,
    readonly signals: ForegroundSignals | null,
  ) {}

  run(console: Fd | null, pidfdSocket: Fd | null): Started {
    const { passed, activated } = this.#descriptors();
    const plan = planFurtherProcess({
      id: this.container.id,
      process: this.process,
      spec: this.spec,
      host: hostFacts(),
      noNewKeyring: false,
      passedFds: passed,
      listenFds: activated,
      softNofile: callerNofileLimit(),
    });
    const cgroup = openCgroup(this.container.cgroup);
    const place = { sub: parseSubCgroups(this.options.cgroups), initPid: (this.container.init as ProcessIdentity).pid };
    // An initial affinity is for the time before the cgroup: then the process is moved there while it runs.
    const affinityFirst = plan.host.beforeCgroup.some(({ kind }) => kind === "set-affinity");
    const forked = this.#fork(plan.init, affinityFirst ? new Entrance([], null) : cgroup.entrance(place));
    try {
      const target = { pid: forked.pid, log: this.context.log };
      actOnProcess(plan.host.beforeCgroup, target);
      if (affinityFirst) cgroup.join(forked.pid, place);
      actOnProcess(plan.host.afterCgroup, target);
      forked.channel.send({ type: "go" });
      this.#converse(forked, console);
      const pidfd = pidfdOpen(forked.pid);
      if (pidfdSocket !== null) sendPidfd(pidfdSocket, pidfd, "exec");
      if (this.options.pidFile) writePidFile(this.options.pidFile, forked.pid);
      forked.channel.send({ type: "go" });
      forked.channel.close();
      return { pid: forked.pid, pidfd, master: this.#master };
    } catch (error) {
      killChild(forked.pid);
      throw error;
    }
  }

  #descriptors(): { passed: number; activated: number } {
    const { preserved, activated } = preservedDescriptors(this.options.preserveFds);
    return { passed: preserved, activated };
  }

  #fork(steps: Parameters<typeof runInit>[0], entrance: Entrance): Forked {
    using _ = entrance;
    const init = this.container.init as ProcessIdentity;
    using target = pidfdOpen(init.pid);
    // A process of the container could attach to one that has just come in, and reach the host through what that still
    // holds (CVE-2016-9962): undumpable, it cannot be attached to, nor its /proc files be opened.
    prctl("SET_DUMPABLE", 0);
    return forkInto(target, namespacesToJoin(init.pid, this.spec), entrance, (channel) => {
      if (this.signals !== null) setSignalMask(this.signals.maskBefore);
      return runInit(steps, { channel, inherited: new Map() });
    });
  }

  #converse(forked: Forked, console: Fd | null): void {
    for (;;) {
      const received = forked.channel.receive();
      if (received === null) throw new Error("the process died while it was being set up");
      if (received.message.type === "ready") return;
      this.#answer(received.message, received.fds, console);
    }
  }

  #answer(message: InitMessage, fds: Fd[], console: Fd | null): void {
    switch (message.type) {
      case "terminal":
        this.#master = fds[0] as Fd;
        if (console === null) return prepareTerminal(this.#master);
        sendMaster(console, this.#master);
        this.#master.close();
        this.#master = null;
        return;
      case "warning":
        return this.context.log.warn(message.message);
      case "error":
        throw new Error(message.message);
      default:
        throw new Error(`unexpected message from the process: ${message.type}`);
    }
  }
}

/** The container's namespaces, but for those that are our own: a user namespace cannot be joined from within itself. */
function namespacesToJoin(pid: number, spec: Spec): NamespaceType[] {
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  return types.filter((type) => type !== "user" || namespaceId(pid, "user") !== namespaceId("self", "user"));
}

function namespaceId(pid: number | "self", type: NamespaceType): number {
  return statSync(`/proc/${pid}/ns/${NAMESPACE_FILES[type]}`).ino;
}
