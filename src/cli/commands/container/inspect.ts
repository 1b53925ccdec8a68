import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description:
    "Prints all there is to know of containers, a JSON array. Each is called by its name, its id, or the beginning of that.",
  examples: ["tsrunc container inspect web"],
  options: { ...storeOptions, format: choice(["json"], "json", { short: "f" }) },
  async run({ options, args }) {
    const { inspectContainer } = await import("../../../image/containers/describe.ts");
    const { findContainer } = await import("../../../image/containers/find.ts");
    const { recover } = await import("../../../image/containers/start.ts");
    const store = await openNamedStore(options);
    const found = args.map((name) => findContainer(store, name));
    for (const container of found) await recover(store, container);
    print(
      JSON.stringify(
        found.map((container) => inspectContainer(store, container)),
        null,
        2,
      ),
    );
    return 0;
  },
});
