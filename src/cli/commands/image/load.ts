import { defineCommand } from "../../command.ts";
import { fileName, toFileName } from "../../file-name.ts";
import {
  archiveLimitOptions,
  openNamedStore,
  platformOption,
  quietOption,
  resultOption,
  storeOptions,
  toArchiveLimits,
  toPlatform,
  withReporter,
} from "../../image-options.ts";
import { text, toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "[path]",
  description:
    "Loads the images of an archive (a file, or stdin) or a directory: an OCI layout, an oci-archive, what docker save writes and wrote, what skopeo writes " +
    "as dir:. Whole archives may be compressed by gzip or zstd.",
  examples: ["tsrunc image load app.tar", "docker save app | tsrunc image load"],
  options: {
    ...storeOptions,
    input: fileName("FILE", "the archive or directory, as docker load has it", { short: "i" }),
    name: text("REFERENCE", "the name for the image, in the place of those it comes with"),
    ...platformOption,
    ...archiveLimitOptions,
    all: toggle("load the images of all platforms", { short: "a" }),
    ...quietOption,
    ...resultOption,
  },
  async run({ options, args }) {
    const { loadImages } = await import("../../../image/operations/load.ts");
    const store = await openNamedStore(options);
    const how = { ...(await toPlatform(options.platform)), limits: await toArchiveLimits(options) };
    const loaded = await withReporter(options.quiet || options.format === "json", (reporter) =>
      loadImages(
        store,
        toFileName(args[0] ?? options.input ?? "-"),
        {
          all: options.all,
          ...(options.name === undefined ? {} : { name: options.name }),
          ...how,
        },
        reporter,
      ),
    );
    if (options.format === "json") print(JSON.stringify(loaded));
    else for (const { name, digest } of loaded) print(`Loaded: ${name ?? digest}`);
    return 0;
  },
});
