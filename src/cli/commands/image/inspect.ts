import { defineCommand } from "../../command.ts";
import { openNamedStore, platformOption, storeOptions, toPlatform } from "../../image-options.ts";
import { choice } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<image...>",
  description:
    "Prints all there is to know of images, as a JSON array: configuration, layers, digests, sizes, and which other images have the same layers.",
  examples: ["tsrunc image inspect alpine:3.20"],
  options: { ...storeOptions, ...platformOption, format: choice(["json"], "json", { short: "f" }) },
  async run({ options, args }) {
    const { inspectImage } = await import("../../../image/operations/list.ts");
    const store = await openNamedStore(options);
    const how = await toPlatform(options.platform);
    print(JSON.stringify(await Promise.all(args.map((image) => inspectImage(store, image, how))), null, 2));
    return 0;
  },
});
