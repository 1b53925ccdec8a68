import { defineCommand } from "../../command.ts";
import { openNamedStore, resultOption, storeOptions } from "../../image-options.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<volume...>",
  description:
    "Removes volumes, with all that is in them. One that a container uses is refused, also when that does not run.",
  examples: ["tsrunc volume rm data"],
  options: { ...storeOptions, ...resultOption },
  async run({ options, args }) {
    const { removeVolume } = await import("../../../image/volumes/operations.ts");
    const store = await openNamedStore(options);
    const errors: string[] = [];
    const done: { name: string }[] = [];
    for (const name of args) {
      try {
        await removeVolume(store, name);
        done.push({ name });
        if (options.format === "text") print(name);
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    if (options.format === "json") print(JSON.stringify(done));
    if (errors.length > 0) throw new Error(errors.join("; "));
    return 0;
  },
});
