import { defineCommand } from "../../command.ts";
import { formatOption, openNamedStore, storeOptions } from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { alignColumns } from "../../table.ts";

export const command = defineCommand({
  synopsis: "",
  description: "Lists the images of the store. One whose name has moved on to another is listed as <none>.",
  examples: ["tsrunc image list", "tsrunc image list --format json"],
  options: {
    ...storeOptions,
    ...formatOption,
    quiet: toggle("print ids only", { short: "q" }),
    digests: toggle("show digests"),
  },
  async run({ options }) {
    const { listImages } = await import("../../../image/operations/list.ts");
    const { formatAge, formatBytes } = await import("../../../image/progress/units.ts");
    const { shortDigest } = await import("../../../image/store/digest.ts");
    const { familiarRepository } = await import("../../../image/reference/reference.ts");
    const images = await listImages(await openNamedStore(options));
    if (options.quiet) {
      const ids = [...new Set(images.map(({ id, digest }) => shortDigest(id ?? digest)))];
      if (ids.length > 0) print(ids.join("\n"));
    } else if (options.format === "json") {
      print(JSON.stringify(images));
    } else {
      const rows = images.map(({ repository, tag, id, digest, created, size, problem }) => [
        repository === null ? "<none>" : familiarRepository(repository),
        tag ?? "<none>",
        ...(options.digests ? [digest] : []),
        shortDigest(id ?? digest),
        problem === null ? formatAge(created) : "damaged",
        formatBytes(size),
      ]);
      print(
        alignColumns([
          ["REPOSITORY", "TAG", ...(options.digests ? ["DIGEST"] : []), "IMAGE ID", "CREATED", "SIZE"],
          ...rows,
        ]),
      );
    }
    return 0;
  },
});
