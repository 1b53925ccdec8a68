import { resolve } from "../../../sys/path-names.ts";
import { defineCommand } from "../../command.ts";

export const command = defineCommand({
  synopsis: "<directory>",
  description: 'Removes a bundle that "image bundle" made: its mount, what was written to it, and its files.',
  examples: ["tsrunc image unbundle DIR"],
  options: {},
  async run({ args: [directory = ""] }) {
    const { removeBundle } = await import("../../../image/bundle/bundle.ts");
    removeBundle(resolve(directory));
    return 0;
  },
});
