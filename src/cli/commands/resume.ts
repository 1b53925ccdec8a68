import { resumeContainer } from "../../runtime/pause.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description: "Resumes the processes of a container that `tsrunc pause` suspended.",
  examples: ["tsrunc resume web"],
  options: {},
  async run({ context, args: [id = ""] }) {
    resumeContainer(context, id);
    return 0;
  },
});
