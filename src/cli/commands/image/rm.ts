import type { Removed } from "../../../image/operations/remove.ts";
import { defineCommand } from "../../command.ts";
import { openNamedStore, resultOption, storeOptions } from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { tryPrint } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<image...>",
  description:
    "Removes images: by a name, that name, and with its last name the image; by an id, the image, if it has one name at most. Contents that other images have stay.",
  examples: ["tsrunc image rm alpine:3.20"],
  options: {
    ...storeOptions,
    force: toggle("remove an image with all its names; one that is not there is no error"),
    ...resultOption,
  },
  async run({ options, args }) {
    const { describeRemoved, NotRemovedError, removeImages } = await import("../../../image/operations/remove.ts");
    const { collectors } = await import("../../../image/collectors.ts");
    const show = (removed: Removed) => {
      const lines = options.format === "json" ? [JSON.stringify(removed)] : describeRemoved(removed);
      return lines.length === 0 ? null : tryPrint(lines.join("\n"));
    };
    try {
      const unread = show(
        await removeImages(await openNamedStore(options), args, { force: options.force, collectors }),
      );
      if (unread !== null) throw unread;
    } catch (error) {
      if (error instanceof NotRemovedError) show(error.removed);
      throw error;
    }
    return 0;
  },
});
