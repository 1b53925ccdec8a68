import { defineCommand } from "../../command.ts";
import { toFileName } from "../../file-name.ts";
import {
  archiveLimitOptions,
  openNamedStore,
  platformOption,
  progressOption,
  quietOption,
  storeOptions,
  toArchiveLimits,
  toPlatform,
  withReporter,
} from "../../image-options.ts";
import { list, text } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<path> [name]",
  description:
    "Makes an image of one layer from a plain root filesystem: a directory, or a tar archive (a file, or - for stdin; plain, or compressed by gzip or zstd).",
  examples: ["tsrunc image import rootfs.tar app:1", "tsrunc image import --message base rootfs/ app:1"],
  options: {
    ...storeOptions,
    change: list(
      "INSTRUCTION",
      "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME or WORKDIR as in a Dockerfile; may be repeated",
      { short: "c" },
    ),
    message: text("TEXT", "a comment for the image's history", { short: "m" }),
    ...platformOption,
    ...archiveLimitOptions,
    ...progressOption,
    ...quietOption,
  },
  async run({ options, args: [path = "", name] }) {
    const { importImage } = await import("../../../image/operations/import.ts");
    const store = await openNamedStore(options);
    const how = { ...(await toPlatform(options.platform)), limits: await toArchiveLimits(options) };
    const imported = await withReporter(options.progress === "json" ? "json" : options.quiet, (reporter) =>
      importImage(
        store,
        toFileName(path),
        {
          changes: options.change,
          ...(name === undefined ? {} : { name }),
          ...(options.message === undefined ? {} : { message: options.message }),
          ...how,
        },
        reporter,
      ),
    );
    print(imported.digest);
    return 0;
  },
});
