import { deleteContainer } from "../../runtime/delete.ts";
import { defineCommand } from "../command.ts";
import { eachMatching, regexOption } from "../matching.ts";
import { toggle } from "../option.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Deletes a stopped container, or one that is created and was never started: its cgroup, its state, and\n" +
    "what its poststop hooks clear.",
  examples: ["tsrunc delete web", "tsrunc delete --force web"],
  options: {
    force: toggle("kill it first if it runs; a container that does not exist is no error", { short: "f" }),
    regex: regexOption,
  },
  async run({ context, options: { force, regex }, args: [id = ""] }) {
    if (regex) await eachMatching(context, id, (match) => deleteContainer(context, match, { force }));
    else deleteContainer(context, id, { force });
    return 0;
  },
});
