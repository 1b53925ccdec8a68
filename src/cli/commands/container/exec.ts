import { defineCommand } from "../../command.ts";
import { workdir as toWorkdir, variable } from "../../image-bundle-options.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { list, text, toggle } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<container> <command> [argument...]",
  description:
    "Executes another process in a container that runs. The exit code is the process's own, 128+N when signal N ended it, and 255 when\n" +
    "it could not be started.",
  examples: ["tsrunc container exec web ps -ef", "tsrunc container exec -it --user postgres db psql"],
  options: {
    ...storeOptions,
    tty: toggle("give the process a terminal", { short: "t" }),
    interactive: toggle("pass the standard input on", { short: "i" }),
    detach: toggle("return once the process has started", { short: "d" }),
    user: text("USER[:GROUP]", "names of the container, or numbers (default: the container's own)", { short: "u" }),
    workdir: text("DIR", "the working directory (default: the container's)", { short: "w" }),
    env: list("NAME=VALUE", "set a variable; NAME alone takes the caller's", { short: "e" }),
  },
  stopAtFirst: true,
  async run({
    runtimeArgs,
    options: { user, workdir, tty, interactive, detach, env, ...options },
    args: [name = "", ...args],
  }) {
    const { execInNamed } = await import("../../../image/containers/exec.ts");
    const { findContainer } = await import("../../../image/containers/find.ts");
    const store = await openNamedStore(options);
    const request = { args, tty, interactive, detach, runtimeArgs };
    const own = { user: user || null, cwd: toWorkdir(workdir), env: env.flatMap(variable) };
    return execInNamed(store, findContainer(store, name), { ...request, ...own });
  },
});
