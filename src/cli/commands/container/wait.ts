import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description:
    "Waits until containers have ended, and prints the exit code of each: 128+N when signal N ended it, `unknown` where nobody saw it.",
  examples: ["tsrunc container wait web"],
  options: { ...storeOptions },
  async run({ options, args }) {
    const { findContainer } = await import("../../../image/containers/find.ts");
    const { waitForEnd } = await import("../../../image/containers/wait-end.ts");
    const store = await openNamedStore(options);
    const found = args.map((name) => findContainer(store, name));
    for (const container of found) print(`${(await waitForEnd(store, container)) ?? "unknown"}`);
    return 0;
  },
});
