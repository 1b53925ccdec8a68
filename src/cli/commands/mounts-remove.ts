import { removeMounts } from "../../runtime/mounts.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "<container-id> <file>",
  description:
    "Removes mounts from a running container. FILE is a JSON array such as config.json's `mounts`, of which only the\n" +
    "destinations matter; an entry that fails ends the command.",
  examples: ["tsrunc mounts remove web mounts.json"],
  options: {},
  async run({ context, args: [id = "", file = ""] }) {
    removeMounts(context, id, resolve(file));
    return 0;
  },
});
