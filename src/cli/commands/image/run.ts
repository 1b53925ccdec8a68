import { defineCommand } from "../../command.ts";
import { imageBundleOptions, toBundleOptions, toPlatform } from "../../image-bundle-options.ts";
import { openNamedStore, withReporter } from "../../image-options.ts";
import { text, toggle } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<image> [arg...]",
  description:
    "Makes a bundle of an image, runs a container from it, and removes both when its process has ended. The exit code is\n" +
    "the process's own, 128+N when signal N ended it.",
  examples: ["tsrunc image run alpine echo hello", "tsrunc image run -t --volume /srv:/srv:ro alpine sh"],
  options: {
    ...imageBundleOptions,
    name: text("ID", "the container's id (default: one of its own)"),
    rm: toggle("accepted, as of docker run: the container is removed in any case"),
    interactive: toggle("accepted, as of docker run: the standard input is passed on in any case", { short: "i" }),
  },
  stopAtFirst: true,
  async run({ context, options, args: [reference = "", ...args] }) {
    const bundleOptions = await toBundleOptions(options, args);
    const platform = await toPlatform(options.platform);
    const { runImage } = await import("../../../image/bundle/run.ts");
    const { unpackProgress } = await import("../../../image/progress/unpacking.ts");
    const store = await openNamedStore(options);
    const name = options.name === undefined ? {} : { id: options.name };
    return withReporter(options.quiet, (reporter) =>
      runImage({
        store,
        reference,
        ...platform,
        options: bundleOptions,
        progress: unpackProgress(reporter),
        runtimeArgs: ["--root", context.root],
        ...name,
      }),
    );
  },
});
