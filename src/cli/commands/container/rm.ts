import { defineCommand } from "../../command.ts";
import { eachFound } from "../../each-container.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice, toggle } from "../../option.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description:
    "Removes containers for good: what was written in them, and their unnamed volumes. Volumes with a name stay. One that runs is refused,\n" +
    "and so is one that is damaged, which may run.",
  examples: ["tsrunc container rm web", "tsrunc container rm --force web"],
  options: {
    ...storeOptions,
    format: choice(["text", "json"], "text or json (default: text)"),
    force: toggle(
      "kill it first if it runs, and remove it if it is damaged; a container that does not exist is no error",
      { short: "f" },
    ),
  },
  async run({ context: { root }, options, args }) {
    const { removeContainer } = await import("../../../image/containers/rm.ts");
    const { removeInterrupted } = await import("../../../image/containers/enter.ts");
    const { isDamaged } = await import("../../../image/containers/damaged.ts");
    const { findToRemove } = await import("../../../image/containers/find.ts");
    const { removeDamaged } = await import("../../../image/containers/remove-damaged.ts");
    const store = await openNamedStore(options);
    const { force, format } = options;
    await removeInterrupted(store);
    return eachFound(
      args,
      (name) => findToRemove(store, name),
      (found) =>
        isDamaged(found) ? removeDamaged(store, found, { force, root }) : removeContainer(store, found, { force }),
      { absentIsFine: force, format },
    );
  },
});
