import type { ContainerState } from "../../runtime/state.ts";
import { listContainers } from "../../runtime/state.ts";
import { stat } from "../../sys/stat.ts";
import { defineCommand } from "../command.ts";
import { choice, toggle } from "../option.ts";
import { print } from "../output.ts";
import { stateDocument } from "../state-document.ts";
import { alignColumns } from "../table.ts";

export const command = defineCommand({
  synopsis: "",
  description: "Lists the containers whose states are below --root.",
  examples: ["tsrunc list", "tsrunc --root DIR list --format json"],
  options: {
    format: choice(["table", "json"], "table or json (default: table)", { short: "f" }),
    quiet: toggle("print ids only", { short: "q" }),
  },
  async run({ context, options, globals }) {
    // The default root is made with the first container; another one that is not there is a mistake.
    if (globals.has("root")) stat(context.root);
    const containers = listContainers(context);
    if (options.quiet) {
      if (containers.length > 0) print(containers.map(({ id }) => id).join("\n"));
    } else if (options.format === "json") {
      print(JSON.stringify(containers.map(stateDocument)));
    } else {
      print(alignColumns([["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], ...containers.map(row)]));
    }
    return 0;
  },
});

function row({ id, pid, status, bundle, created, owner }: ContainerState): string[] {
  return [id, String(pid), status, bundle, created, owner];
}
