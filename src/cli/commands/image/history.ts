import { defineCommand } from "../../command.ts";
import { formatOption, openNamedStore, platformOption, storeOptions, toPlatform } from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { alignColumns } from "../../table.ts";

export const command = defineCommand({
  synopsis: "<image>",
  description: "Lists the steps in which an image was made, the last first.",
  examples: ["tsrunc image history alpine:3.20"],
  options: { ...storeOptions, ...platformOption, ...formatOption, "no-trunc": toggle("show whole commands") },
  async run({ options, args: [image = ""] }) {
    const { historyOf, inspectImage } = await import("../../../image/operations/list.ts");
    const { formatAge, formatBytes } = await import("../../../image/progress/units.ts");
    const { shortDigest } = await import("../../../image/store/digest.ts");
    const how = await toPlatform(options.platform);
    const steps = historyOf(await inspectImage(await openNamedStore(options), image, how));
    if (options.format === "json") {
      print(JSON.stringify(steps));
      return 0;
    }
    const LONGEST = 60;
    const shown = (text: string) => {
      const line = text.replace(/\s+/g, " ").trim();
      return options["no-trunc"] || line.length <= LONGEST ? line : `${line.slice(0, LONGEST - 1)}…`;
    };
    const rows = steps.map(({ layer, created, createdBy, size, comment }) => [
      layer === null ? "-" : shortDigest(layer),
      formatAge(created),
      formatBytes(size),
      shown(createdBy),
      shown(comment),
    ]);
    print(alignColumns([["LAYER", "CREATED", "SIZE", "CREATED BY", "COMMENT"], ...rows]));
    return 0;
  },
});
