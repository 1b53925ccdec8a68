import type { UnreadError } from "../../../sys/standard-streams.ts";
import { defineCommand } from "../../command.ts";
import { openNamedStore, resultOption, storeOptions } from "../../image-options.ts";
import { tryPrint } from "../../output.ts";

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
    let unread: UnreadError | null = null;
    const done: { name: string }[] = [];
    for (const name of args) {
      try {
        await removeVolume(store, name);
        done.push({ name });
        if (options.format === "text") unread ??= tryPrint(name);
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    if (options.format === "json") unread = tryPrint(JSON.stringify(done));
    if (errors.length > 0) throw new Error(errors.join("; "));
    if (unread !== null) throw unread;
    return 0;
  },
});
