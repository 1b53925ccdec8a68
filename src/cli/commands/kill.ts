import { killContainer } from "../../runtime/kill.ts";
import { parseSignal } from "../../sys/signal.ts";
import { defineCommand } from "../command.ts";
import { eachMatching, regexOption } from "../matching.ts";
import { toggle } from "../option.ts";
import { UsageError } from "../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container-id> [signal]",
  description:
    "Sends a signal to a container's init process. The signal is a name (`KILL`, `SIGKILL`, `RTMIN+3`) or a\n" +
    "number; it is TERM when none is given.",
  examples: ["tsrunc kill web", "tsrunc kill web KILL"],
  options: {
    all: toggle("send it to every process of the container, and let a stopped container pass", { short: "a" }),
    regex: regexOption,
  },
  async run({ context, options: { all, regex }, args: [id = "", name = "TERM"] }) {
    const signal = parseSignal(name === "" ? "TERM" : name);
    if (signal === null) throw new UsageError(`unknown signal "${name}"`);
    if (regex) await eachMatching(context, id, (match) => killContainer(context, match, signal, { all }));
    else killContainer(context, id, signal, { all });
    return 0;
  },
});
