import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { UsageError } from "../usage-error.ts";

export const command = defineCommand({
  synopsis: "<shell>",
  description: "Prints a script that completes commands, options and container ids.",
  examples: [
    "tsrunc completion bash > /etc/bash_completion.d/tsrunc",
    "tsrunc completion zsh > /usr/local/share/zsh/site-functions/_tsrunc",
    "tsrunc completion fish > ~/.config/fish/completions/tsrunc.fish",
  ],
  options: {},
  async run({ args: [shell = ""] }) {
    const { completionScript, shells } = await import("../completion.ts");
    const known = shells.find((one) => one === shell);
    if (known === undefined)
      throw new UsageError(`no completion for "${shell}": one of ${shells.join(", ")} is expected`);
    print(await completionScript(known));
    return 0;
  },
});
