import { defineCommand } from "../../command.ts";
import { eachContainer } from "../../each-container.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice, toggle } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description:
    "Removes containers for good: what was written in them, and their unnamed volumes. Volumes with a name stay. One that runs is refused.",
  examples: ["tsrunc container rm web", "tsrunc container rm --force web"],
  options: {
    ...storeOptions,
    format: choice(["text", "json"], "text or json (default: text)"),
    force: toggle("kill it first if it runs; a container that does not exist is no error", { short: "f" }),
  },
  async run({ options, args }) {
    const { removeContainer } = await import("../../../image/containers/rm.ts");
    const { removeInterrupted } = await import("../../../image/containers/record.ts");
    const store = await openNamedStore(options);
    const { force } = options;
    await removeInterrupted(store);
    return eachContainer(store, args, (container) => removeContainer(store, container, { force }), {
      absentIsFine: force,
      format: options.format,
    });
  },
});
