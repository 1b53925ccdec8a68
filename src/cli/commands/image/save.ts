import { defineCommand } from "../../command.ts";
import { fileName } from "../../file-name.ts";
import { openNamedStore, quietOption, storeOptions, withReporter } from "../../image-options.ts";
import { choice } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<image...>",
  description:
    "Writes images as an archive, to stdout or a file: an oci-archive, which every Docker loads, too; a docker-archive as Docker wrote it before version " +
    "25, its layers plain; or as oci-dir, a directory with an OCI layout.",
  examples: ["tsrunc image save -o app.tar app:1", "tsrunc image save app:1 | docker load"],
  options: {
    ...storeOptions,
    output: fileName("FILE", "where to write (default: stdout)", { short: "o" }),
    format: choice(
      ["oci-archive", "docker-archive", "oci-dir"],
      "oci-archive, docker-archive or oci-dir (default: oci-archive)",
      { short: "f" },
    ),
    ...quietOption,
  },
  async run({ options, args }) {
    const { saveImages } = await import("../../../image/operations/save.ts");
    const store = await openNamedStore(options);
    await withReporter(options.quiet, (reporter) =>
      saveImages(store, args, { format: options.format, output: options.output ?? "-" }, reporter),
    );
    return 0;
  },
});
