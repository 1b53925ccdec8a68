import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<id>",
  description: "Starts a container, or takes over one that runs, and stays until it has ended.",
  examples: [],
  options: { ...storeOptions, for: choice(["start", "attach", "recover"], "what it is there for") },
  async run({ options, args: [id = ""] }) {
    const { monitor } = await import("../../../image/containers/monitor.ts");
    const { findContainer } = await import("../../../image/containers/find.ts");
    const store = await openNamedStore(options);
    await monitor(store, findContainer(store, id), options.for);
    return 0;
  },
});
