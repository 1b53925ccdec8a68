/** Forks container processes into their namespaces. */

import type { CgroupDescriptors, Entrance } from "../cgroup/entrance.ts";
import type { NamespaceType } from "../config/types.ts";
import { Channel, type Failure, type InitMessage, type ParentMessage } from "../init/channel.ts";
import type { NamespaceJoin, NamespacePlan } from "../plan/namespaces.ts";
import { hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { readSome, writeSome } from "../sys/io.ts";
import { namespaceFlags, openNamespaceFile, setns } from "../sys/namespace.ts";
import { CLONE, type ExitStatus, endWords, exit, fork, waitPid } from "../sys/process.ts";
import { socketpair } from "../sys/socket.ts";

/** A forked process, seen by its parent. */
export interface Forked {
  pid: number;
  channel: Channel<ParentMessage, InitMessage>;
}

/** Tells the process that all that only the parent can do for it is done, and has it enter its v1 cgroups. */
export function admit(channel: Forked["channel"], { files, tasks }: CgroupDescriptors): void {
  channel.send(
    { type: "admitted", files },
    tasks.map(({ number }) => number),
  );
}

type ChildWork = (channel: Channel<InitMessage, ParentMessage>) => void;
type ChildMain = (channel: Channel<InitMessage, ParentMessage>) => never;

/**
 * Forks the init into its v2 cgroup and its namespaces.
 * @param main what the init does; it never returns
 * @throws {Error} when the cgroup cannot be entered, or a namespace not be made or joined
 */
export function forkInit(plan: NamespacePlan, entrance: Entrance, main: ChildMain): Forked {
  const flags = BigInt(namespaceFlags(plan.clone));
  if (plan.join.length === 0) return forkDirectly(flags, entrance, main);
  // With the change of user namespace go the rights over the namespaces to join, or come those over them; and who has joined a pid
  // namespace for its children may not be let back into its own: root of a user namespace that does not own it, as under rootless engines.
  const joinsBeforeBirth = plan.join.some(({ type }) => type === "user" || type === "pid");
  if (joinsBeforeBirth || plan.clone.includes("user")) {
    return forkThroughHelper(() => joinByPath(plan.join), flags, entrance, main);
  }
  const opened = plan.join.map((join) => ({ ...join, fd: openNamespace(join) }));
  try {
    const join: ChildWork = (channel) => {
      opened.forEach(joinOne);
      channel.send({ type: "joined" });
    };
    const forked = forkDirectly(flags, entrance, main, join);
    const answer = forked.channel.receive()?.message;
    if (answer?.type === "joined") return forked;
    throw notJoined(answer, waitPid(forked.pid));
  } finally {
    for (const { fd } of opened) fd.close();
  }
}

/**
 * Forks a process into the namespaces of a running one: the last one that this process forks.
 *
 * Into a pid namespace it is born with all the others joined, by a helper that stays outside: whoever may trace in there could
 * open the host's files through `/proc/<pid>/root`, `cwd` and `fd` of a process that has still to join its mounts.
 *
 * @param pidfd of the running process
 * @param types the namespaces to join
 * @param closeOthers closes the helper's descriptors, which the process would inherit, but for those given and those it needs
 */
export function forkInto(
  pidfd: Fd,
  types: readonly NamespaceType[],
  entrance: Entrance,
  main: ChildMain,
  closeOthers: (kept: readonly Fd[]) => void = () => {},
): Forked {
  if (types.length === 0) return forkDirectly(0n, entrance, main);
  if (types.includes("user") || (types.includes("pid") && types.includes("mount"))) {
    const join = (lines: readonly Fd[]) => {
      closeOthers([pidfd, ...lines]);
      setns(pidfd.number, types);
      pidfd.close();
    };
    return forkThroughHelper(join, 0n, entrance, main);
  }
  const rest = types.filter((type) => type !== "pid");
  const join = () => {
    if (rest.length > 0) setns(pidfd.number, rest);
  };
  // It is where our children are from then on; there will be no other, so we need not come back.
  if (types.includes("pid")) setns(pidfd.number, ["pid"]);
  return forkDirectly(0n, entrance, main, join);
}

/** Why a process has not joined its namespaces, by the answer that came instead. */
function notJoined(answer: InitMessage | undefined, end: ExitStatus): Error {
  return new Error(
    answer?.type === "error" ? answer.message : `the process that joins the namespaces ${endWords(end)}`,
  );
}

function forkDirectly(flags: bigint, entrance: Entrance, main: ChildMain, join: ChildWork = () => {}): Forked {
  const [ours, theirs] = socketpair();
  const pid = entrance.fork({ flags });
  if (pid === 0) {
    ours.close();
    childOnly(new Channel<InitMessage, ParentMessage>(theirs), (channel) => {
      join(channel);
      main(channel);
    });
  }
  theirs.close();
  return { pid, channel: new Channel(ours) };
}

/**
 * Does a child's work; tells the parent why it failed, and ends. Whatever happens it does not return: the code that called
 * fork is the parent's, and would clear away a container that is not the child's to clear.
 */
function childOnly<C extends Channel<Failure, ParentMessage>>(channel: C, work: (channel: C) => void): never {
  try {
    work(channel);
    return exit(0);
  } catch (error) {
    try {
      channel.send({ type: "error", message: (error as Error).message });
    } finally {
      exit(1);
    }
  }
}

/**
 * A user namespace is joined before the others, and a pid namespace is entered by fork only: so a helper joins the namespaces
 * and forks again. The second child is made our own by CLONE_PARENT: we, and after us our subreaper, must be able to wait
 * for it.
 *
 * The helper has a line of its own: the second child runs at once, and may have spoken on the other before the helper tells of it. It tells
 * the pid that we see, a word, or why it failed, a message. (All that it does is done in memory that is copied page by page: a word by write(2)
 * is 100 pages less, a twentieth of an exec.)
 */
function forkThroughHelper(
  join: (lines: readonly Fd[]) => void,
  flags: bigint,
  entrance: Entrance,
  main: ChildMain,
): Forked {
  const [ours, theirs] = socketpair();
  const [answers, helpers] = socketpair();
  const told = new Int32Array(1);
  const helper = entrance.fork();
  if (helper === 0) {
    ours.close();
    answers.close();
    childOnly(new Channel<Failure, ParentMessage>(helpers), (channel) => {
      join([theirs, helpers]);
      told[0] = fork({ flags: flags | BigInt(CLONE.PARENT), threadsCounted: true });
      if (told[0] === 0) {
        channel.close();
        childOnly(new Channel<InitMessage, ParentMessage>(theirs), main);
      }
      writeSome(helpers.number, told);
    });
  }
  theirs.close();
  helpers.close();
  using line = answers;
  const end = waitPid(helper);
  if (end.kind === "exited" && end.code === 0 && readSome(line.number, told) === told.byteLength) {
    return { pid: told[0] as number, channel: new Channel(ours) };
  }
  ours.close();
  throw notJoined(new Channel<never, Failure>(line).receive()?.message, end);
}

/**
 * Joins namespaces by path.
 *
 * Those that belong to our own user namespace must be joined before the user namespace is, since the rights over them are
 * lost with it; those that belong to the joined one, afterwards. What is refused at first is tried again.
 */
function joinByPath(joins: readonly NamespaceJoin[]): void {
  const opened = joins.map((join) => ({ ...join, fd: openNamespace(join) }));
  const refused = opened.filter((namespace) => namespace.type !== "user" && !tryJoin(namespace));
  for (const namespace of opened.filter(({ type }) => type === "user")) joinOne(namespace);
  for (const namespace of refused) joinOne(namespace);
}

type OpenedJoin = NamespaceJoin & { fd: Fd };

function tryJoin(namespace: OpenedJoin): boolean {
  try {
    joinOne(namespace);
    return true;
  } catch (error) {
    if (hasErrno(error, "EPERM")) return false;
    throw error;
  }
}

function joinOne({ type, path, pointer, fd }: OpenedJoin): void {
  try {
    setns(fd.number, [type]);
  } catch (error) {
    const hint = hasErrno(error, "EINVAL") ? ` (is it a ${type} namespace?)` : "";
    (error as Error).message = `${pointer}: ${path}: ${(error as Error).message}${hint}`;
    throw error;
  }
}

function openNamespace({ type, path, pointer }: NamespaceJoin): Fd {
  try {
    return openNamespaceFile(path);
  } catch (error) {
    throw new Error(`${pointer}: the ${type} namespace to join: ${(error as Error).message}`);
  }
}
