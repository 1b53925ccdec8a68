import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { toLabels } from "../../labels.ts";
import { choice, list } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "[name]",
  description:
    "Makes a volume, and prints its name. One that is there is left as it is. The first container that uses it puts in what its image has there.",
  examples: ["tsrunc volume create data"],
  options: {
    ...storeOptions,
    label: list("NAME=VALUE", "say something of it"),
    format: choice(["text", "json"], "text or json (default: text)", { short: "f" }),
  },
  async run({ options, args: [name] }) {
    const labels = toLabels(options.label);
    const { createVolume, inspectVolume } = await import("../../../image/volumes/operations.ts");
    const store = await openNamedStore(options);
    const made = await createVolume(store, name, Object.fromEntries(labels));
    print(options.format === "json" ? JSON.stringify(inspectVolume(store, made)) : made);
    return 0;
  },
});
