import { resolve } from "../../../sys/path-names.ts";
import { defineCommand } from "../../command.ts";
import { toFileName } from "../../file-name.ts";

export const command = defineCommand({
  synopsis: "<directory>",
  description: 'Removes a bundle that "image bundle" made: its mount, what was written to it, and its files.',
  examples: ["tsrunc image unbundle DIR"],
  options: {},
  async run({ args: [directory = ""] }) {
    const { removeBundle } = await import("../../../image/bundle/bundle.ts");
    removeBundle(resolve(toFileName(directory)));
    return 0;
  },
});
