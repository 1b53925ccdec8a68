import { startContainer } from "../../runtime/start.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description: "Lets the process of a created container begin.",
  examples: ["tsrunc start web"],
  options: {},
  async run({ context, args: [id = ""] }) {
    startContainer(context, id);
    return 0;
  },
});
