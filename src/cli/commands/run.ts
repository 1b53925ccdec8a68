import { runContainer } from "../../runtime/run.ts";
import { defineCommand } from "../command.ts";
import { toggle } from "../option.ts";
import { print } from "../output.ts";
import { bundleOptions, creation } from "../process-options.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Makes a container from a bundle, starts it, waits for its process and deletes it.\n" +
    "The exit code is the process's own, 128+N when signal N ended it.",
  examples: ["tsrunc run --bundle DIR web", "tsrunc run --bundle DIR --explain web"],
  options: {
    ...bundleOptions,
    detach: toggle("return once the process has started, and leave the container", { short: "d" }),
    keep: toggle("leave the stopped container and its cgroup when its process has ended"),
  },
  async run({ context, options, args: [id = ""] }) {
    const create = creation(id, options);
    if (options.explain) {
      const { explainCreate } = await import("../../runtime/explain.ts");
      print(explainCreate(context, create).join("\n"));
      return 0;
    }
    const { detach, keep, "no-subreaper": noSubreaper } = options;
    return runContainer(context, { ...create, detach, keep, noSubreaper });
  },
});
