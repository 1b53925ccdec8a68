import { defineCommand } from "../../command.ts";
import { toFileName } from "../../file-name.ts";
import { imageBundleOptions, toBundleOptions } from "../../image-bundle-options.ts";
import { openNamedStore, toPlatform, withReporter } from "../../image-options.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<image> <directory> [arg...]",
  description:
    "Makes a bundle of an image in a directory: a rootfs, and a config.json as the image says. The layers are unpacked\n" +
    'into the store once and mounted, or copied to a tree of its own (--copy). "image unbundle" removes it again.',
  examples: ["tsrunc image bundle alpine DIR", "tsrunc image bundle --copy --user 1000 alpine DIR sh -c id"],
  options: imageBundleOptions,
  stopAtFirst: true,
  async run({ options, args: [reference = "", directory = "", ...args] }) {
    const bundleOptions = await toBundleOptions(options, args);
    const platform = await toPlatform(options.platform);
    const { makeBundle } = await import("../../../image/bundle/bundle.ts");
    const { unpackProgress } = await import("../../../image/progress/unpacking.ts");
    const store = await openNamedStore(options);
    const made = await withReporter(options.quiet, (reporter) =>
      makeBundle({
        store,
        reference,
        ...platform,
        directory: toFileName(directory),
        options: bundleOptions,
        progress: unpackProgress(reporter),
      }),
    );
    print(made);
    return 0;
  },
});
