import { printable } from "../../../sys/printable.ts";
import { defineCommand } from "../../command.ts";
import { openNamedStore, quietOption, resultOption, storeOptions, withReporter } from "../../image-options.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Reads all that is in the store, and compares it with its digests. Names what is damaged or missing, and the images it belongs to; the exit code is 1 then. Pulling or loading such an image again mends it.",
  examples: ["tsrunc image verify"],
  options: {
    ...storeOptions,
    ...quietOption,
    ...resultOption,
  },
  async run({ options }) {
    const { verifyStore } = await import("../../../image/operations/verify.ts");
    const { formatBytes } = await import("../../../image/progress/units.ts");
    const store = await openNamedStore(options);
    // A line for each of hundreds of sound contents would say nothing.
    const verified = await withReporter(
      options.quiet || options.format === "json" || process.stderr.isTTY !== true,
      (reporter) => verifyStore(store, reporter),
    );
    const { problems, images, blobs, size } = verified;
    if (options.format === "json") print(JSON.stringify(verified));
    else if (problems.length === 0) print(`${images} images, ${blobs} contents, ${formatBytes(size)}: all sound`);
    else
      for (const problem of problems)
        print(printable(`${problem.images.join(", ") || "no image"}: ${problem.message}`));
    return problems.length === 0 ? 0 : 1;
  },
});
