import { textToKeep } from "../../config/exact-json.ts";
import { watchContainer } from "../../runtime/events.ts";
import { defineCommand } from "../command.ts";
import { duration, toggle } from "../option.ts";
import { print } from "../output.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Prints what a container uses of CPU, memory, I/O and pids, every few seconds, and says when the kernel kills in it\n" +
    "for want of memory: a line of JSON each, in runc's words. It ends with the container.",
  examples: ["tsrunc events --stats web", "tsrunc events --interval 1s web"],
  options: {
    interval: duration("DURATION", "time between two reports of what is used, such as 500ms or 1m (default: 5s)", 5000),
    stats: toggle("report once what is used, and end"),
  },
  async run({ context, options: { interval, stats }, args: [id = ""] }) {
    watchContainer(context, { id, statsOnly: stats, interval }, (event) => print(textToKeep(event).trimStart()));
    return 0;
  },
});
