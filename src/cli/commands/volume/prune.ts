import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice, toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "",
  description: "Removes the volumes that no container uses, with all that is in them.",
  examples: ["tsrunc volume prune --dry-run"],
  options: {
    ...storeOptions,
    "dry-run": toggle("show what would be removed"),
    format: choice(["text", "json"], "text or json (default: text)", { short: "f" }),
  },
  async run({ options }) {
    const { pruneVolumes } = await import("../../../image/volumes/operations.ts");
    const names = await pruneVolumes(await openNamedStore(options), { dryRun: options["dry-run"] });
    if (options.format === "json") print(JSON.stringify(names));
    else if (names.length > 0) print(names.join("\n"));
    return 0;
  },
});
