import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<volume...>",
  description: "Prints all there is to know of volumes, a JSON array.",
  examples: ["tsrunc volume inspect data"],
  options: { ...storeOptions, format: choice(["json"], "json", { short: "f" }) },
  async run({ options, args }) {
    const { inspectVolume } = await import("../../../image/volumes/operations.ts");
    const store = await openNamedStore(options);
    print(
      JSON.stringify(
        args.map((name) => inspectVolume(store, name)),
        null,
        2,
      ),
    );
    return 0;
  },
});
