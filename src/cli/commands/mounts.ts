import { addMounts, removeMounts } from "../../runtime/mounts.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";
import { UsageError } from "../usage-error.ts";

export const command = defineCommand({
  synopsis: "add|remove <container-id> <file>",
  description:
    "Adds mounts to a running container, or removes them. FILE is a JSON array such as config.json's `mounts`; only\n" +
    "the destinations in it matter for `remove`. Sources of binds are the host's. What is added is gone with the\n" +
    "container; an entry that fails ends the command, and those before it stay.",
  examples: ["tsrunc mounts add web mounts.json", "tsrunc mounts remove web mounts.json"],
  options: {},
  arity: { min: 3, max: 3 },
  async run({ context, args: [verb = "", id = "", file = ""] }) {
    if (verb !== "add" && verb !== "remove") throw new UsageError(`mounts ${verb}: add or remove is expected`);
    (verb === "add" ? addMounts : removeMounts)(context, id, resolve(file));
    return 0;
  },
});
