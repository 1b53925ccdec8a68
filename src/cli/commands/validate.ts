import { validateBundle } from "../../config/load.ts";
import { resolve } from "../../sys/path-names.ts";
import { inUserNamespace } from "../../sys/user-namespace.ts";
import { defineCommand } from "../command.ts";
import { text } from "../option.ts";
import { print } from "../output.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Checks a bundle's config.json: its form against runtime-spec, and its meaning as `create` would. Each error is a\n" +
    "line with the JSON pointer, the value and the rule; the exit code is 0 when there is none, and 1 otherwise.",
  examples: ["tsrunc validate --bundle DIR"],
  options: { bundle: text("DIR", "the bundle directory (default: the current directory)", { short: "b" }) },
  async run({ context, options: { bundle } }) {
    const directory = resolve(bundle || ".");
    const { warnings } = validateBundle(directory, { inUserNamespace: inUserNamespace() });
    for (const warning of warnings) context.log.warn(warning);
    print(`${directory}/config.json is valid`);
    return 0;
  },
});
