import { createContainer } from "../../runtime/create.ts";
import { defineCommand } from "../command.ts";
import { print } from "../output.ts";
import { bundleOptions, creation } from "../process-options.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Makes a container from a bundle: everything is set up, and its process waits for `tsrunc start`.\n" +
    "The id is yours to choose; it names the container until it is deleted.",
  examples: ["tsrunc create --bundle DIR --pid-file web.pid web"],
  options: bundleOptions,
  async run({ context, options, args: [id = ""] }) {
    const create = creation(id, options);
    if (options.explain) {
      const { explainCreate } = await import("../../runtime/explain.ts");
      print(explainCreate(context, create).join("\n"));
      return 0;
    }
    createContainer(context, create);
    return 0;
  },
});
