import { defineCommand } from "../../command.ts";
import { openNamedStore, platformOption, quietOption, storeOptions, withReporter } from "../../image-options.ts";
import { choice, text, toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "[path]",
  description:
    "Loads the images of an archive (a file, or stdin) or a directory: an OCI layout, an oci-archive, what docker save writes and wrote, what skopeo writes " +
    "as dir:. Whole archives may be compressed by gzip or zstd.",
  examples: ["tsrunc image load app.tar", "docker save app | tsrunc image load"],
  options: {
    ...storeOptions,
    input: text("FILE", "the archive or directory, as docker load has it", { short: "i" }),
    name: text("REFERENCE", "the name for the image, in the place of those it comes with"),
    ...platformOption,
    all: toggle("load the images of all platforms", { short: "a" }),
    ...quietOption,
    format: choice(["text", "json"], "text or json (default: text)", { short: "f" }),
  },
  async run({ options, args }) {
    const { loadImages } = await import("../../../image/operations/load.ts");
    const { parsePlatform } = await import("../../../image/store/platform.ts");
    const store = await openNamedStore(options);
    const loaded = await withReporter(options.quiet || options.format === "json", (reporter) =>
      loadImages(
        store,
        args[0] ?? options.input ?? "-",
        {
          all: options.all,
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(options.platform === undefined ? {} : { platform: parsePlatform(options.platform) }),
        },
        reporter,
      ),
    );
    if (options.format === "json") print(JSON.stringify(loaded));
    else for (const { name, digest } of loaded) print(`Loaded: ${name ?? digest}`);
    return 0;
  },
});
