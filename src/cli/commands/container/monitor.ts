import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { toggle } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<id>",
  description: "Starts a container, or takes over one that runs, and stays until it has ended.",
  examples: [],
  options: { ...storeOptions, attach: toggle("pass its output on to descriptors 3 and 4") },
  async run({ options, args: [id = ""] }) {
    const { monitor } = await import("../../../image/containers/monitor.ts");
    const { findContainer } = await import("../../../image/containers/record.ts");
    const store = await openNamedStore(options);
    await monitor(store, findContainer(store, id), options.attach);
    return 0;
  },
});
