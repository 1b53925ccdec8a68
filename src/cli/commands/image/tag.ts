import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";

export const command = defineCommand({
  synopsis: "<image> <name...>",
  description:
    "Gives an image further names. Another image that had one of them keeps its others, or is listed as <none>.",
  examples: ["tsrunc image tag alpine:3.20 localhost:5000/alpine:test"],
  options: storeOptions,
  async run({ options, args: [image = "", ...names] }) {
    const { tagImage } = await import("../../../image/operations/remove.ts");
    const store = await openNamedStore(options);
    for (const name of names) await tagImage(store, image, name);
    return 0;
  },
});
