import { addMounts } from "../../runtime/mounts.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "<container-id> <file>",
  description:
    "Adds mounts to a running container. FILE is a JSON array such as config.json's `mounts`; sources of binds are the\n" +
    "host's. What is added is gone with the container; an entry that fails ends the command, and those before it stay.",
  examples: ["tsrunc mounts add web mounts.json"],
  options: {},
  async run({ context, args: [id = "", file = ""] }) {
    addMounts(context, id, resolve(file));
    return 0;
  },
});
