import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";

export const command = defineCommand({
  synopsis: "<name...>",
  description:
    "Takes names from their images. The images stay; one without a name is listed as <none>, and removed by prune.",
  examples: ["tsrunc image untag localhost:5000/alpine:test"],
  options: storeOptions,
  async run({ options, args }) {
    const { untagImages } = await import("../../../image/operations/remove.ts");
    await untagImages(await openNamedStore(options), args);
    return 0;
  },
});
