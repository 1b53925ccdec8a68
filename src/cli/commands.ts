/**
 * The commands there are, and what is to be known of each before its file is loaded, which happens when it is called.
 *
 * The only such list: help, completion, the stage that a command needs and the exit code of its failure come from it.
 */
import type { Command } from "./command.ts";

export interface CommandEntry {
  kind: "command";
  /** One line, for the list in help and in completions. */
  summary: string;
  /**
   * The program that carries it out: the runtime, of one thread and synchronous; or that for images, with an event loop and all of Node, which
   * the runtime's executable becomes. Its file is loaded by the other, too, for help and completion: it imports what it does lazily.
   */
  program: "runtime" | "image";
  /** Whether it makes processes that a container can reach: it runs in one thread, from a file that nobody can write to. */
  forks: boolean;
  /** Whether it mounts for itself alone: in a mount namespace of its own, which is gone with it. Of the image program. */
  ownMounts: boolean;
  /** Whether an ordinary user is root for it, with ids of its own: where that is possible, or it is refused. Of the image program. */
  ids: "caller" | "own if possible" | "own";
  /** What its errors get: their beginning in records, for the engines that know it from runc, and the exit code. */
  failure: { prefix: string | null; exitCode: number };
  /** Whether it is for this program itself, and neither help nor completion tells of it. */
  internal: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own options.
  load(): Promise<{ command: Command<any> }>;
}

/** Commands under one name: `tsrunc mounts add`. */
export interface CommandGroup {
  kind: "group";
  summary: string;
  commands: CommandTable;
}

export type Entry = CommandEntry | CommandGroup;

export type CommandTable = Readonly<Record<string, Entry>>;

type Extra = Partial<Pick<CommandEntry, "forks" | "failure" | "internal" | "ownMounts" | "ids">>;

function command(summary: string, load: CommandEntry["load"], extra: Extra = {}): CommandEntry {
  const failure = { prefix: null, exitCode: 1 };
  return {
    kind: "command",
    summary,
    program: "runtime",
    forks: false,
    ownMounts: false,
    ids: "caller",
    internal: false,
    failure,
    load,
    ...extra,
  };
}

function group(summary: string, commands: CommandTable): CommandGroup {
  return { kind: "group", summary, commands };
}

/** A command of the image program. */
function ofImages(summary: string, load: CommandEntry["load"], extra: Extra = {}): CommandEntry {
  return { ...command(summary, load, extra), program: "image" };
}

/** One that reads or changes what is unpacked, mounted or running. */
function ofRoot(summary: string, load: CommandEntry["load"], extra: Extra = {}): CommandEntry {
  return ofImages(summary, load, { ids: "own if possible", ...extra });
}

/** The commands by name, in the order in which help lists them. */
export const commands: CommandTable = {
  checkpoint: command("checkpoint a running container", () => import("./commands/checkpoint.ts"), { forks: true }),
  completion: command("print a completion script for a shell", () => import("./commands/completion.ts")),
  container: group("containers with a name, which stay when they stop", {
    exec: ofRoot("execute another process in a container", () => import("./commands/container/exec.ts")),
    inspect: ofRoot(
      "print all there is to know of containers, as JSON",
      () => import("./commands/container/inspect.ts"),
    ),
    list: ofRoot("list the containers", () => import("./commands/container/list.ts")),
    logs: ofRoot("show what a container has written", () => import("./commands/container/logs.ts")),
    monitor: { ...ofRoot("watch a container", () => import("./commands/container/monitor.ts")), internal: true },
    ps: ofRoot("list the containers", () => import("./commands/container/list.ts")),
    rm: ofRoot("remove containers", () => import("./commands/container/rm.ts")),
    start: ofRoot("start containers", () => import("./commands/container/start.ts")),
    stop: ofRoot("stop containers", () => import("./commands/container/stop.ts")),
    wait: ofRoot("wait until containers have ended", () => import("./commands/container/wait.ts")),
  }),
  create: command("create a container", () => import("./commands/create.ts"), {
    forks: true,
    failure: { prefix: "tsrunc create failed", exitCode: 1 },
  }),
  delete: command("delete a container and what it holds", () => import("./commands/delete.ts")),
  events: command("show what a container uses, and when the kernel kills in it", () => import("./commands/events.ts")),
  exec: command("execute another process in a container", () => import("./commands/exec.ts"), {
    forks: true,
    // Not an exit code that the process itself is likely to have.
    failure: { prefix: "exec failed", exitCode: 255 },
  }),
  features: command("show what this runtime supports, as JSON", () => import("./commands/features.ts")),
  image: group("fetch, keep and hand on images", {
    build: ofRoot("build an image from a Dockerfile", () => import("./commands/image/build.ts"), {
      ownMounts: true,
      ids: "own",
    }),
    bundle: ofImages("make a bundle of an image", () => import("./commands/image/bundle.ts")),
    history: ofImages("list the steps in which an image was made", () => import("./commands/image/history.ts")),
    import: ofImages("make an image of a root filesystem", () => import("./commands/image/import.ts")),
    inspect: ofImages("print all there is to know of images, as JSON", () => import("./commands/image/inspect.ts")),
    list: ofImages("list the images", () => import("./commands/image/list.ts")),
    load: ofImages("load images from an archive or a directory", () => import("./commands/image/load.ts")),
    login: ofImages("log in to a registry", () => import("./commands/image/login.ts")),
    logout: ofImages("log out of a registry", () => import("./commands/image/logout.ts")),
    prune: ofRoot("remove what belongs to no named image", () => import("./commands/image/prune.ts")),
    pull: ofImages("fetch an image from a registry", () => import("./commands/image/pull.ts")),
    push: ofImages("send an image to a registry", () => import("./commands/image/push.ts")),
    rm: ofRoot("remove images", () => import("./commands/image/rm.ts")),
    run: ofRoot("run a container from an image", () => import("./commands/image/run.ts")),
    save: ofImages("write images as an archive or a directory", () => import("./commands/image/save.ts")),
    tag: ofImages("give an image further names", () => import("./commands/image/tag.ts")),
    unbundle: ofImages("remove a bundle of an image", () => import("./commands/image/unbundle.ts")),
    untag: ofImages("take names from images", () => import("./commands/image/untag.ts")),
    verify: ofImages("check all that is in the store", () => import("./commands/image/verify.ts")),
  }),
  kill: command("send a signal to a container's init process", () => import("./commands/kill.ts")),
  list: command("list the containers", () => import("./commands/list.ts")),
  mounts: group("add mounts to a running container, or remove them", {
    add: command("add mounts to a running container", () => import("./commands/mounts-add.ts"), { forks: true }),
    remove: command("remove mounts from a running container", () => import("./commands/mounts-remove.ts"), {
      forks: true,
    }),
  }),
  pause: command("suspend all processes in a container", () => import("./commands/pause.ts")),
  ps: command("list the processes in a container", () => import("./commands/ps.ts")),
  restore: command("restore a container from a checkpoint", () => import("./commands/restore.ts"), {
    forks: true,
    failure: { prefix: "tsrunc restore failed", exitCode: 1 },
  }),
  resume: command("resume the processes of a paused container", () => import("./commands/resume.ts")),
  run: command("create and run a container", () => import("./commands/run.ts"), {
    forks: true,
    failure: { prefix: "tsrunc run failed", exitCode: 1 },
  }),
  spec: command("write a config.json to start from", () => import("./commands/spec.ts")),
  start: command("start the process of a created container", () => import("./commands/start.ts")),
  state: command("print the state of a container, as JSON", () => import("./commands/state.ts")),
  update: command("change the limits of a container that runs", () => import("./commands/update.ts")),
  validate: command("check a bundle's config.json", () => import("./commands/validate.ts")),
  volume: group("data that outlives containers", {
    create: ofRoot("make a volume", () => import("./commands/volume/create.ts")),
    inspect: ofRoot("print all there is to know of volumes, as JSON", () => import("./commands/volume/inspect.ts")),
    list: ofRoot("list the volumes", () => import("./commands/volume/list.ts")),
    prune: ofRoot("remove the volumes that no container uses", () => import("./commands/volume/prune.ts")),
    rm: ofRoot("remove volumes", () => import("./commands/volume/rm.ts")),
  }),
};

/** Every command that there is, with the names that lead to it. */
export function allCommands(
  table: CommandTable = commands,
  before: readonly string[] = [],
): [string[], CommandEntry][] {
  return Object.entries(table).flatMap(([name, entry]): [string[], CommandEntry][] => {
    const path = [...before, name];
    if (entry.kind === "group") return allCommands(entry.commands, path);
    return entry.kind === "command" && !entry.internal ? [[path, entry]] : [];
  });
}

/** Those of a table that people are told of. */
export function shownEntries(table: CommandTable): [string, Entry][] {
  return Object.entries(table).filter(([, entry]) => entry.kind !== "command" || !entry.internal);
}

/** What the first words of an argument list name: as many of them as there are in the table, and what follows. `null` for none. */
export function findCommand(args: readonly string[]): { path: string[]; entry: Entry | null; rest: string[] } {
  let table: CommandTable = commands;
  let entry: Entry | null = null;
  let depth = 0;
  for (const name of args) {
    if (!Object.hasOwn(table, name)) break;
    entry = table[name] as Entry;
    depth++;
    table = entry.kind === "group" ? entry.commands : {};
  }
  return { path: args.slice(0, depth), entry, rest: args.slice(depth) };
}
