import { pauseContainer } from "../../runtime/pause.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description: "Suspends all processes of a running container, by the freezer of its cgroup.",
  examples: ["tsrunc pause web"],
  options: {},
  async run({ context, args: [id = ""] }) {
    pauseContainer(context, id);
    return 0;
  },
});
