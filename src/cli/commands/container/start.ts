import { defineCommand } from "../../command.ts";
import { eachContainer } from "../../each-container.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice, toggle } from "../../option.ts";
import { UsageError } from "../../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description: "Starts containers as they were when they stopped. One that runs is left alone.",
  examples: ["tsrunc container start web", "tsrunc container start --attach web"],
  options: {
    ...storeOptions,
    format: choice(["text", "json"], "text or json (default: text)"),
    attach: toggle("stay in the foreground; the exit code is the process's own", { short: "a" }),
  },
  async run({ options, args }) {
    const { runAttached, startContainer } = await import("../../../image/containers/start.ts");
    const store = await openNamedStore(options);
    if (options.attach) {
      const { findContainer } = await import("../../../image/containers/find.ts");
      if (args.length > 1) throw new UsageError("--attach is for one container");
      return runAttached(store, findContainer(store, args[0] ?? ""));
    }
    return eachContainer(store, args, (container) => startContainer(store, container), options);
  },
});
