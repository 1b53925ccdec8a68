/** `checkpoint`: has CRIU write a container's processes down, which end then unless they are left running. */
import { openCgroup } from "../cgroup/manager.ts";
import type { Spec, Status } from "../config/types.ts";
import { dumpedMounts, maskedPaths } from "../criu/external-mounts.ts";
import { type CriuRequest, TYPE } from "../criu/messages.ts";
import { checkRestorable, externalNamespaces, markOf } from "../criu/namespaces.ts";
import type { DumpOptions } from "../criu/options.ts";
import { Criu } from "../criu/process.ts";
import { dumpRequest, LOG } from "../criu/request.ts";
import { LEAST, requireVersion } from "../criu/version.ts";
import { callerEnvironment } from "../sys/executable.ts";
import { Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists } from "../sys/file.ts";
import { isInherited } from "../sys/inherited-fds.ts";
import { statusFlags } from "../sys/io.ts";
import { NAMESPACE_FILES } from "../sys/namespace.ts";
import { fork } from "../sys/process.ts";
import { fstat, isType, stat } from "../sys/stat.ts";
import { encode } from "../sys/text.ts";
import { clearContainer } from "./clear.ts";
import { lockDirectory } from "./container-lock.ts";
import { hostMountsOf, resolveInContainer } from "./container-mounts.ts";
import { configFile, explainFailure, findCriu, freezerOf } from "./criu.ts";
import { CriuDirectories } from "./criu-directories.ts";
import { end } from "./delete.ts";
import { removeStreams, writeStreams } from "./descriptors-file.ts";
import { DumpInterruption } from "./dump-interruption.ts";
import { hostFacts } from "./host.ts";
import type { Context } from "./options.ts";
import { containerStatus } from "./status.ts";
import { type Container, loadContainer, loadSavedConfig, NoSuchContainerError } from "./store.ts";

/**
 * Writes a container down.
 * @throws {NoSuchContainerError}
 * @throws {Error} when it neither runs nor is paused, and when CRIU fails or a signal asks for an end: then it goes on as before
 */
export function checkpointContainer(context: Context, id: string, options: DumpOptions): void {
  // Before anything is opened here that could have its number.
  const statusFd = options.statusFd === undefined ? null : callersDescriptor(options.statusFd);
  const lock = lockDirectory(context.root, id);
  if (lock === null) throw new NoSuchContainerError(id);
  using _ = lock;
  const container = loadContainer(context.root, id);
  const status = containerStatus(context.root, container);
  if (status !== "running" && status !== "paused") {
    throw new Error(`Container cannot be checkpointed in ${status} state`);
  }
  const spec = loadSavedConfig(context.root, id);
  const criu = findCriu("checkpoint");
  checkRestorable(spec);
  using directories = CriuDirectories.toWrite(options, rootGroup(spec));
  dump(context, { container, status, spec, options, criu, directories, statusFd });
  if (options.leaveRunning || options.preDump) return;
  end(container);
  clearContainer(context, container, spec);
}

/** Which group root of the container's user namespace is to the host; `null` without one. */
function rootGroup({ linux = {} }: Spec): number | null {
  if (!(linux.namespaces ?? []).some(({ type }) => type === "user")) return null;
  const mapping = (linux.gidMappings ?? []).find(({ containerID, size }) => containerID === 0 && size > 0);
  return mapping === undefined ? null : mapping.hostID;
}

interface Dump {
  container: Container;
  status: Status;
  spec: Spec;
  options: DumpOptions;
  criu: string;
  directories: CriuDirectories;
  statusFd: Fd | null;
}

function dump(
  { root, log }: Context,
  { container, status, spec, options, criu: path, directories, statusFd }: Dump,
): void {
  const logFile = directories.log(LOG.dump);
  const interruption = new DumpInterruption();
  let written = false;
  try {
    using criu = new Criu({
      ...{ path, environment: callerEnvironment(), fork, streams: "null" },
      prepare: () => ({ result: null, passed: directories.openAgain() }),
      waitFor: (fd) => interruption.waitFor(fd),
      withCallersKeys: false,
    });
    const version = criu.version();
    requireVersion(version, LEAST.any, "checkpoint");
    if (options.preDump) criu.requireFeature("mem_track", "--pre-dump");
    if (options.lazyPages) criu.requireFeature("lazy_pages", "--lazy-pages");
    const request = requestOf(container, spec, options, directories);
    log.debug(`criu ${version}: ${JSON.stringify(request)}`);
    interruption.check();
    written = request.type === TYPE.DUMP;
    if (written) writeStreams(directories.images, pidOf(container));
    criu.carryOut(request, ({ script }) => {
      log.debug(`criu: ${script}`);
      interruption.check();
      if (script === "status-ready" && statusFd !== null) reportReady(statusFd);
    });
  } catch (error) {
    const explained = explainFailure(error, path, logFile);
    if (written) removeStreams(directories.images);
    directories.abandon();
    // CRIU that was killed, by us or by the kernel, leaves it frozen.
    const cgroup = openCgroup(container.cgroup);
    if (status === "running" && cgroup.isFrozen()) cgroup.thaw();
    if (!interruption.requested) throw explained;
    // A process into which it was just putting its code dies of its death.
    const isOver = containerStatus(root, container) === "stopped";
    const outcome = isOver ? "the container has ended with CRIU" : "the container goes on";
    const images = exists(options.imagePath) ? `, and what is in ${options.imagePath} is no checkpoint` : "";
    throw new Error(`${explained.message}: ${outcome}${images}`);
  }
}

function requestOf(container: Container, spec: Spec, options: DumpOptions, directories: CriuDirectories): CriuRequest {
  const pid = pidOf(container);
  const host = hostFacts();
  // Of memory alone nothing of this is written down.
  const mounts = options.preDump
    ? []
    : dumpedMounts(
        resolveInContainer(
          pid,
          hostMountsOf(container, spec, host).map(({ target }) => target),
        ),
        maskedFiles(pid, spec),
      );
  return dumpRequest({
    options,
    pid,
    rootfs: container.rootfs,
    hasWork: directories.work !== null,
    configFile: configFile(spec),
    freezer: freezerOf(container),
    mounts,
    // Of the process: what the path led to may have gone.
    external: externalNamespaces(spec).map(({ type }) =>
      markOf(type, stat(`/proc/${pid}/ns/${NAMESPACE_FILES[type]}`).ino),
    ),
  });
}

/**
 * The places of masks that are binds of a null device from elsewhere, as a restored container may have them. One of the container's own is a file
 * like others of it, and directories have filesystems of their own as masks.
 */
function maskedFiles(pid: number, spec: Spec): string[] {
  const inContainer = (path: string) => {
    using file = open(`/proc/${pid}/root${path}`, O.PATH | O.NOFOLLOW);
    return fstat(file.number);
  };
  const places = resolveInContainer(pid, maskedPaths(spec));
  if (places.length === 0) return [];
  const own = resolveInContainer(pid, ["/dev/null"]).map(inContainer)[0]?.dev;
  return places.filter((place) => {
    const found = inContainer(place);
    return !isType(found, "directory") && found.dev !== own;
  });
}

function pidOf({ id, init }: Container): number {
  if (init === null) throw new Error(`container ${id} has no process`);
  return init.pid;
}

/** A descriptor that the caller has left open for us. @throws {Error} when it has not, or has only for reading */
function callersDescriptor(number: number): Fd {
  const O_ACCMODE = 3;
  if (!isInherited(number)) throw new Error(`invalid --status-fd argument ${number}: it is not open`);
  const mode = statusFlags(number) & O_ACCMODE;
  if (mode === O.RDONLY) throw new Error(`invalid --status-fd argument ${number}: not writable`);
  return new Fd(number);
}

/** Whoever waits on it gets its byte, and sees its end. */
function reportReady(statusFd: Fd): void {
  syscall("write", statusFd.number, encode("\0"), 1);
  statusFd.close();
}
