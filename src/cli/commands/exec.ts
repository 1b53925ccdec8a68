import { execInContainer } from "../../runtime/exec.ts";
import type { ExecProcess } from "../../runtime/options.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";
import { counts, list, type OptionValues, optionalToggle, text, toggle } from "../option.ts";
import { connection, processOptions } from "../process-options.ts";

const options = {
  process: text("FILE", "the process as JSON, in the form of config.json's `process`; no command is given then", {
    short: "p",
  }),
  tty: toggle("give the process a terminal", { short: "t" }),
  user: text("UID[:GID]", "run as this user, by number (default: the container's)", { short: "u" }),
  "additional-gids": counts("GID", "a further group, by number; repeatable", { short: "g" }),
  cwd: text("DIR", "working directory in the container (default: the container's)"),
  env: list("NAME=VALUE", "set a variable; repeatable", { short: "e" }),
  cap: list("CAP_NAME", "add a capability; repeatable", { short: "c" }),
  "no-new-privs": optionalToggle("let execve grant no privileges (default: as the container has it)"),
  "process-label": text("LABEL", "SELinux label of the process"),
  apparmor: text("PROFILE", "AppArmor profile of the process"),
  cgroup: list("[CONTROLLER:]PATH", "run in an existing cgroup below the container's; repeatable on cgroup v1"),
  detach: toggle("return once the process has started", { short: "d" }),
  "ignore-paused": toggle("do not refuse when the container is paused"),
  ...processOptions,
} as const;

export const command = defineCommand({
  synopsis: "<container-id> [command] [argument...]",
  description:
    "Executes another process in a container that is created or running.\n" +
    "What follows the container's id belongs to the command. The exit code is the process's own,\n" +
    "128+N when signal N ended it, and 255 when it could not be started.",
  examples: [
    "tsrunc exec web ps -ef",
    "tsrunc exec -t --user 1000:1000 --env TERM=xterm web sh",
    "tsrunc exec --process process.json web",
  ],
  options,
  stopAtFirst: true,
  async run({ context, options: values, args: [id = "", ...args] }) {
    const process = await processOf(values, args);
    return execInContainer(context, {
      id,
      process,
      detach: values.detach,
      ignorePaused: values["ignore-paused"],
      cgroups: values.cgroup,
      ...connection(values),
    });
  },
});

async function processOf(values: OptionValues<typeof options>, args: string[]): Promise<ExecProcess> {
  if (values.process) {
    const { loadProcess } = await import("../../config/load-process.ts");
    return { kind: "file", path: resolve(values.process), load: loadProcess };
  }
  if (args.length === 0) throw new Error("exec args cannot be empty: a command, or --process, is needed");
  const noNewPrivileges = values["no-new-privs"];
  return {
    kind: "flags",
    args,
    tty: values.tty,
    ...(values.cwd && { cwd: values.cwd }),
    ...(values.user && { user: values.user }),
    additionalGids: values["additional-gids"],
    env: values.env,
    capabilities: values.cap,
    ...(noNewPrivileges !== undefined && { noNewPrivileges }),
    ...(values["process-label"] && { processLabel: values["process-label"] }),
    ...(values.apparmor && { apparmor: values.apparmor }),
  };
}
