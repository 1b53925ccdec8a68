import { defineCommand } from "../../command.ts";
import { formatOption, openNamedStore, storeOptions } from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { alignColumns } from "../../table.ts";

export const command = defineCommand({
  synopsis: "",
  description: "Lists the volumes that have a name.",
  examples: ["tsrunc volume list", "tsrunc volume list --format json"],
  options: { ...storeOptions, ...formatOption, quiet: toggle("print names only", { short: "q" }) },
  async run({ options }) {
    const { describeVolumes } = await import("../../../image/volumes/operations.ts");
    const { formatAge } = await import("../../../image/progress/units.ts");
    const volumes = describeVolumes(await openNamedStore(options));
    if (options.quiet) {
      if (volumes.length > 0) print(volumes.map(({ name }) => name).join("\n"));
    } else if (options.format === "json") print(JSON.stringify(volumes));
    else {
      const rows = volumes.map(({ name, created, usedBy }) => [
        name,
        created === null ? "damaged" : formatAge(created),
        usedBy.join(", "),
      ]);
      print(alignColumns([["NAME", "CREATED", "USED BY"], ...rows]));
    }
    return 0;
  },
});
