import { defineCommand } from "../../command.ts";
import { openNamedStore, resultOption, storeOptions } from "../../image-options.ts";
import { size, toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Removes what nobody can name or use: images without a name, contents and unpacked layers that belong to no image, and what interrupted commands have left. Images with a name stay.",
  examples: ["tsrunc image prune --dry-run"],
  options: {
    ...storeOptions,
    "dry-run": toggle("only show what would be removed", { short: "n" }),
    "cache-limit": {
      ...size("BYTES", "what builds may keep of cache mounts and downloads, the last used first (default: 2g)"),
      initial: 2 * 1024 ** 3,
    },
    ...resultOption,
  },
  async run({ options }) {
    const { describeRemoved, pruneStore } = await import("../../../image/operations/remove.ts");
    const { formatBytes } = await import("../../../image/progress/units.ts");
    const { collectorsOf } = await import("../../../image/collectors.ts");
    const dryRun = options["dry-run"];
    const collectors = collectorsOf(Number(options["cache-limit"]));
    const removed = await pruneStore(await openNamedStore(options), { dryRun, collectors });
    if (options.format === "json") {
      print(JSON.stringify(removed));
      return 0;
    }
    for (const line of [
      ...describeRemoved(removed),
      ...removed.garbage.map(({ kind, name }) => `Deleted ${kind}: ${name}`),
    ])
      print(line);
    const bytes = removed.garbage.reduce((sum, { size }) => sum + size, 0);
    print(`${dryRun ? "Would free" : "Freed"} ${formatBytes(bytes)}`);
    return 0;
  },
});
