/** One restoration: from a claimed id to the container that CRIU has made again. */
import { delegateCgroup } from "../cgroup/delegate.ts";
import { readOwnCgroups } from "../cgroup/layout.ts";
import type { Cgroup } from "../cgroup/manager.ts";
import { hostMounts, restoredMounts } from "../criu/external-mounts.ts";
import type { RestoreOptions } from "../criu/options.ts";
import { Criu, type Notification } from "../criu/process.ts";
import { inheritedNamespaces, inheritedPipes, LOG, restoreRequest } from "../criu/request.ts";
import { LEAST, requireVersion } from "../criu/version.ts";
import { type OpenHookOutput, openHookOutput } from "../hooks/output.ts";
import { runHooks } from "../hooks/run.ts";
import { planDelegation } from "../plan/delegation.ts";
import { planIntelRdt } from "../plan/intel-rdt.ts";
import { planNetwork } from "../plan/network.ts";
import { callerEnvironment } from "../sys/executable.ts";
import { duplicate, type Fd } from "../sys/fd.ts";
import { mkdir, readLink, rmdir } from "../sys/file.ts";
import { NAMESPACE_FLAGS, unshare } from "../sys/namespace.ts";
import { join } from "../sys/path-names.ts";
import { killChild, processStat } from "../sys/process.ts";
import type { Claim } from "./claim.ts";
import { clearAfterFailure } from "./clear.ts";
import { sendMaster } from "./console-socket.ts";
import { mountSteps } from "./container-mounts.ts";
import { configFile, explainFailure } from "./criu.ts";
import type { CriuDirectories } from "./criu-directories.ts";
import { prepareTerminal } from "./foreground.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import type { Interruption } from "./interruption.ts";
import { setLoopbackUpOf } from "./net-devices.ts";
import { makeNotifyDirectory } from "./notify-socket.ts";
import type { Context } from "./options.ts";
import { writePidFile } from "./pid-file.ts";
import type { Prepared } from "./prepare.ts";
import { ownFiles, type PlacedMount, prepareRoot } from "./restore-mounts.ts";
import type { RestoredNamespaces } from "./restore-namespaces.ts";
import { stateDocument } from "./status.ts";
import { containerDirectory, saveConfig, saveContainer } from "./store.ts";

export interface RestoreContainerOptions extends RestoreOptions {
  id: string;
  bundle: string;
  detach: boolean;
  consoleSocket?: string;
  pidFile?: string;
  /** Do not make this process a subreaper. */
  noSubreaper: boolean;
}

/** What it is made from. */
export interface Parts {
  context: Context;
  prepared: Prepared;
  options: RestoreContainerOptions;
  criu: string;
  directories: CriuDirectories;
  streams: readonly string[];
  namespaces: RestoredNamespaces;
  console: Fd | null;
  claim: Claim;
  /** Requests to end meanwhile, which make it fail. */
  interruption: Interruption;
}

/** One restoration, from a claimed id to the running container. */
export class Restoration {
  readonly #parts: Parts;
  readonly #cgroup: Cgroup;
  /** An empty directory, in which CRIU alone finds what it needs. */
  readonly #own: string;
  #hookOutput: OpenHookOutput | null = null;
  #classOfService: ResctrlGroup | null = null;
  #limited = false;
  #master: Fd | null = null;

  constructor(parts: Parts) {
    const { context, options } = parts;
    this.#parts = parts;
    this.#cgroup = parts.claim.cgroup;
    this.#own = join(containerDirectory(context.root, options.id), "criu");
  }

  /** @throws {Error} that says what failed: all that was made is cleared again then */
  run(): { pid: number; master: Fd | null } {
    const { context, options, prepared, criu, directories, claim } = this.#parts;
    try {
      this.#make();
      const pid = this.#restore();
      if (options.pidFile) writePidFile(options.pidFile, pid);
      return { pid, master: this.#master };
    } catch (error) {
      const reason = explainFailure(error, criu, directories.log(LOG.restore));
      if (prepared.container.init !== null) killChild(prepared.container.init.pid);
      this.#master?.close();
      // CRIU that was killed leaves processes of its own in the cgroup, outside the container's pid namespace.
      const left = clearAfterFailure(context, prepared.container, prepared.spec, true);
      claim.lock.close();
      throw left === null ? reason : new Error(`${reason.message}; ${left}`);
    } finally {
      this.#hookOutput?.[Symbol.dispose]();
    }
  }

  /** What there is of a container before its processes: written down before it is made. */
  #make(): void {
    const { root } = this.#parts.context;
    const { container, spec, resources, host } = this.#parts.prepared;
    const intelRdt = planIntelRdt(spec.linux?.intelRdt, container.id);
    if (intelRdt !== null) {
      this.#classOfService = new ResctrlGroup(intelRdt);
      if (this.#classOfService.removable) container.resctrl = this.#classOfService.removable;
    }
    saveContainer(root, container);
    const directory = containerDirectory(root, container.id);
    makeNotifyDirectory(directory);
    this.#cgroup.create(resources);
    container.cgroup = this.#cgroup.location;
    saveContainer(root, container);
    // CRIU gives away the cgroups alone that it has made itself.
    for (const { directory, uid } of planDelegation(spec, container.cgroup)) delegateCgroup(directory, uid);
    saveConfig(root, container.id, spec);
    this.#hookOutput = openHookOutput(spec, container.bundle);
    if (!host.inUserNamespace) {
      const { devices = [] } = spec.linux ?? {};
      this.#cgroup.setResources({ ...(resources.devices && { devices: resources.devices }) }, { devices });
    }
    mkdir(this.#own, 0o700);
  }

  #restore(): number {
    const { context, prepared, options, directories, streams, namespaces } = this.#parts;
    const { container, spec, host } = prepared;
    const steps = mountSteps(container, spec, host);
    using criu = this.#start(() => prepareRoot(container.rootfs, this.#own, steps));
    this.#cgroup.release();
    const version = criu.version();
    requireVersion(version, LEAST.any, "restore");
    if (options.lsmProfile) requireVersion(version, LEAST.lsm, "--lsm-profile");
    if (options.lsmMountContext) requireVersion(version, LEAST.lsm, "--lsm-mount-context");
    if (options.lazyPages) criu.requireFeature("lazy_pages", "--lazy-pages");
    const devices = hostMounts(steps.filter(({ kind }) => kind !== "bind"));
    const request = restoreRequest({
      options,
      spec,
      root: ownFiles(this.#own).root,
      hasWork: directories.work !== null,
      configFile: configFile(spec),
      mounts: restoredMounts(
        [...devices.map(({ target, source }) => ({ place: target, source })), ...criu.prepared],
        spec,
        ownFiles(this.#own).null,
      ),
      inherited: [...inheritedNamespaces(namespaces.types), ...inheritedPipes(streams)],
      cgroups: readOwnCgroups(criu.pid),
    });
    context.log.debug(`criu ${version}: ${JSON.stringify(request)}`);
    const { restore } = criu.carryOut(request, (notification) => this.#notified(notification));
    criu.end();
    rmdir(this.#own);
    const pid = restore?.pid ?? container.init?.pid;
    if (pid === undefined) throw new Error("criu did not say which process it has restored");
    return pid;
  }

  /** Starts CRIU in the container's cgroups, which what it restores inherits. */
  #start(prepareRoot: () => PlacedMount[]): Criu<PlacedMount[]> {
    const { options, prepared, criu, directories, namespaces, interruption } = this.#parts;
    using entrance = this.#cgroup.entrance();
    using tasks = this.#cgroup.openTasks();
    // CRIU makes a cgroup namespace only where it looks after cgroups.
    const ownCgroups =
      options.manageCgroupsMode === "ignore" &&
      (prepared.spec.linux?.namespaces ?? []).some(({ type }) => type === "cgroup");
    return new Criu({
      path: criu,
      environment: callerEnvironment(),
      fork: () => entrance.fork({ flags: BigInt(NAMESPACE_FLAGS.mount) }),
      prepare: () => {
        tasks.enter();
        if (ownCgroups) unshare(["cgroup"]);
        return { result: prepareRoot(), passed: [...directories.openAgain(), ...namespaces.fds] };
      },
      streams: prepared.process.terminal === true ? "null" : "ours",
      waitFor: (fd) => interruption.waitFor(fd),
      withCallersKeys: true,
    });
  }

  #notified({ script, pid, fds }: Notification): void {
    const { context, prepared } = this.#parts;
    context.log.debug(`criu: ${script}`);
    if (script === "setup-namespaces") {
      // It is not in the images: what a network namespace has in it is left out of them.
      if (planNetwork(prepared.spec.linux ?? {}).init.length > 0) setLoopbackUpOf(pid);
      this.#runHooks(pid);
    } else if (script === "orphan-pts-master") this.#takeTerminal(fds[0]);
    else if (script === "post-restore") {
      this.#noteInit(pid);
      this.#limit();
      this.#classOfService?.create(pid);
      this.#noteTimeNamespace(pid);
      prepared.container.complete = true;
      saveContainer(context.root, prepared.container);
    }
  }

  #noteInit(pid: number): void {
    this.#parts.prepared.container.init = { pid, startTime: processStat(pid)?.startTime ?? 0 };
  }

  /** Those of the runtime's namespaces, as runc runs them: the others' time was when the container was created. */
  #runHooks(pid: number): void {
    const { context, prepared } = this.#parts;
    const { container, spec } = prepared;
    const { prestart = [], createRuntime = [] } = spec.hooks ?? {};
    this.#noteInit(pid);
    saveContainer(context.root, container);
    if (prestart.length + createRuntime.length === 0) return;
    this.#limit();
    const state = { ...stateDocument(container, "creating"), pid };
    const { interruption } = this.#parts;
    const around = { cwd: container.bundle, ...(this.#hookOutput && { output: this.#hookOutput }), interruption };
    runHooks("prestart", prestart, state, around);
    runHooks("createRuntime", createRuntime, state, around);
  }

  /** Late, so that CRIU's own processes and memory do not fail for a tight limit. */
  #limit(): void {
    if (this.#limited) return;
    this.#limited = true;
    this.#cgroup.setResources(this.#parts.prepared.resources, { skipDevices: true });
  }

  #takeTerminal(master: Fd | undefined): void {
    const { console, options } = this.#parts;
    if (master === undefined) return;
    if (console !== null) return sendMaster(console, master);
    if (options.detach) return;
    this.#master = duplicate(master);
    prepareTerminal(this.#master);
  }

  /** CRIU restores into a time namespace, so that clocks go on from where they were: `exec` is to join that, too. */
  #noteTimeNamespace(pid: number): void {
    const { context, prepared } = this.#parts;
    const { spec, container } = prepared;
    const namespaces = spec.linux?.namespaces ?? [];
    if (namespaces.some(({ type }) => type === "time")) return;
    if (readLink(`/proc/${pid}/ns/time`) === readLink("/proc/self/ns/time")) return;
    spec.linux = { ...spec.linux, namespaces: [...namespaces, { type: "time" }] };
    saveConfig(context.root, container.id, spec);
  }
}
