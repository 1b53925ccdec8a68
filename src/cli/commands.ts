/** The commands there are. The table is light: a command's file is loaded when it is called. */
import type { Command } from "./command.ts";

export interface CommandEntry {
  /** One line, for the list in help and in completions. */
  summary: string;
  // biome-ignore lint/suspicious/noExplicitAny: each command has its own options.
  load(): Promise<{ command: Command<any> }>;
}

/** The commands by name, in the order in which help lists them. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  completion: { summary: "print a completion script for a shell", load: () => import("./commands/completion.ts") },
  create: { summary: "create a container", load: () => import("./commands/create.ts") },
  delete: { summary: "delete a container and what it holds", load: () => import("./commands/delete.ts") },
  exec: { summary: "execute another process in a container", load: () => import("./commands/exec.ts") },
  features: { summary: "show what this runtime supports, as JSON", load: () => import("./commands/features.ts") },
  kill: { summary: "send a signal to a container's init process", load: () => import("./commands/kill.ts") },
  list: { summary: "list the containers", load: () => import("./commands/list.ts") },
  mounts: { summary: "add mounts to a running container, or remove them", load: () => import("./commands/mounts.ts") },
  pause: { summary: "suspend all processes in a container", load: () => import("./commands/pause.ts") },
  ps: { summary: "list the processes in a container", load: () => import("./commands/ps.ts") },
  resume: { summary: "resume the processes of a paused container", load: () => import("./commands/resume.ts") },
  run: { summary: "create and run a container", load: () => import("./commands/run.ts") },
  spec: { summary: "write a config.json to start from", load: () => import("./commands/spec.ts") },
  start: { summary: "start the process of a created container", load: () => import("./commands/start.ts") },
  state: { summary: "print the state of a container, as JSON", load: () => import("./commands/state.ts") },
  validate: { summary: "check a bundle's config.json", load: () => import("./commands/validate.ts") },
};
