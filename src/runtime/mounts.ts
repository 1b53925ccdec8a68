/** `mounts`: adds mounts to a container that runs, and removes them. */
import { Entrance } from "../cgroup/entrance.ts";
import { loadMounts } from "../config/load.ts";
import type { Spec } from "../config/types.ts";
import type { Channel, InitMessage, ParentMessage } from "../init/channel.ts";
import { closeDescriptors } from "../init/descriptors.ts";
import { addMount, removeMount } from "../init/live-mounts.ts";
import { becomeRoot } from "../init/namespaces.ts";
import { type LiveMount, planLiveMounts } from "../plan/live-mounts.ts";
import { planUserNamespace } from "../plan/namespaces.ts";
import { mountSurroundings } from "../plan/rootfs.ts";
import { environmentRange, forgetEnvironment } from "../sys/environment.ts";
import { duplicateOnto, type Fd, O, open } from "../sys/fd.ts";
import { openRoot } from "../sys/path.ts";
import { exit, prctl, waitPid } from "../sys/process.ts";
import { setUmask } from "../sys/user.ts";
import { lockDirectory } from "./container-lock.ts";
import { Conversation } from "./conversation.ts";
import { forkInto } from "./fork.ts";
import { hostFacts } from "./host.ts";
import { openNamespaces } from "./joined-namespaces.ts";
import { openLiveSource } from "./mount-sources.ts";
import type { Context } from "./options.ts";
import { containerStatus, isAlive } from "./status.ts";
import { type Container, loadContainer, loadSavedConfig, NoSuchContainerError } from "./store.ts";

/**
 * Adds the mounts of a file to a running container, in order. One that fails ends it; those before it stay.
 * @param file a JSON array such as config.json's `mounts`
 * @throws {NoSuchContainerError}
 * @throws {ConfigError} when the file does not hold mounts
 * @throws {Error} when the container does not run, or shares its mounts with the runtime; or naming the mount that failed
 */
export function addMounts(context: Context, id: string, file: string): void {
  withContainer(context, id, (container, spec) => {
    const mounts = planLiveMounts(loadMounts(file, spec), surroundings(container, spec)).map(openMount);
    const kept = mounts.map(({ opened }) => opened);
    inContainer(context, container, spec, kept, (rootfs) => {
      for (const { words, step, opened } of mounts) naming(words, () => addMount(rootfs, step, opened));
    });
    for (const { opened } of mounts) opened?.close();
  });
}

/**
 * Removes mounts from a running container, the last of the file first: it may be in one before it. Of each entry only the
 * destination counts.
 * @see addMounts
 */
export function removeMounts(context: Context, id: string, file: string): void {
  withContainer(context, id, (container, spec) => {
    const mounts = loadMounts(file, spec);
    inContainer(context, container, spec, [], (rootfs) => {
      for (const [index, { destination }] of [...mounts.entries()].reverse()) {
        naming(`mount ${index}, unmount ${destination}`, () => removeMount(rootfs, destination));
      }
    });
  });
}

function openMount(mount: LiveMount): LiveMount & { opened: Fd | null } {
  const { source } = mount;
  return { ...mount, opened: source === null ? null : naming(mount.words, () => openLiveSource(source)) };
}

function naming<T>(words: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`${words}: ${(error as Error).message}`);
  }
}

function surroundings({ bundle, rootfs }: Container, spec: Spec) {
  const userNamespace = (spec.linux?.namespaces ?? []).some(({ type }) => type === "user");
  return mountSurroundings({ spec, bundle, rootfsPath: rootfs, host: hostFacts(), userNamespace, cgroups: [] });
}

function withContainer(context: Context, id: string, act: (container: Container, spec: Spec) => void): void {
  const lock = lockDirectory(context.root, id);
  if (lock === null) throw new NoSuchContainerError(id);
  using _ = lock;
  const container = loadContainer(context.root, id);
  const status = containerStatus(context.root, container);
  if (status === "stopped" || status === "creating")
    throw new Error(`cannot change the mounts of a ${status} container`);
  const spec = loadSavedConfig(context.root, id);
  if (!(spec.linux?.namespaces ?? []).some(({ type }) => type === "mount")) {
    throw new Error("the container has no mount namespace of its own: its mounts are the host's");
  }
  act(container, spec);
}

/**
 * Does something in the container's namespaces, in a process of their own, as root there.
 * @param kept descriptors that it needs
 * @param act gets the container's root directory
 * @throws {Error} in the words of the failure
 */
function inContainer(
  context: Context,
  { init }: Container,
  spec: Spec,
  kept: readonly (Fd | null)[],
  act: (rootfs: Fd) => void,
): void {
  if (!isAlive(init)) throw new Error("container not running");
  using joined = openNamespaces(init.pid, spec);
  // As for `exec`: the container must not reach the host through the process that comes in (CVE-2016-9962).
  prctl("SET_DUMPABLE", 0);
  using nothing = open("/dev/null", O.RDWR);
  const callersEnvironment = environmentRange();
  // Whoever may trace there regardless finds neither the caller's environment nor a way to the host's files.
  const forget = (others: readonly Fd[]) => {
    // What it has to say it says to its parent.
    for (const stream of [0, 1, 2]) duplicateOnto(nothing.number, stream);
    closeDescriptors(0, [nothing, ...others, ...kept]);
    forgetEnvironment(callersEnvironment);
  };
  const child = (channel: Channel<InitMessage, ParentMessage>) => {
    forget([channel.fd]);
    return work(channel, spec, act);
  };
  const forked = forkInto(joined.pidfd, joined.types, new Entrance(null), child, forget);
  const conversation = new Conversation(forked, null, context.log);
  try {
    forked.channel.send({ type: "go" });
    conversation.until("ready", ({ type }) => {
      throw new Error(`unexpected message from the process: ${type}`);
    });
    waitPid(forked.pid);
  } catch (error) {
    throw conversation.abandon(error as Error);
  }
}

function work(channel: Channel<InitMessage, ParentMessage>, spec: Spec, act: (rootfs: Fd) => void): never {
  // Whatever happens, the child must not return into its parent's code.
  try {
    answer(channel, spec, act);
  } finally {
    exit(0);
  }
}

function answer(channel: Channel<InitMessage, ParentMessage>, spec: Spec, act: (rootfs: Fd) => void): void {
  // Before it, the parent expects the word of the process that has forked this one.
  if (channel.receive()?.message.type !== "go") return;
  try {
    for (const step of planUserNamespace(spec.linux ?? {}, spec.process?.user, false)) becomeRoot(step);
    // Modes given to what is made are the modes it gets.
    setUmask(0);
    using rootfs = openRoot("/");
    act(rootfs);
    channel.send({ type: "ready" });
  } catch (error) {
    channel.send({ type: "error", message: (error as Error).message });
  }
}
