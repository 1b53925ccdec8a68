import { defineCommand } from "../../command.ts";
import { formatOption, openNamedStore, storeOptions } from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { alignColumns } from "../../table.ts";

export const command = defineCommand({
  synopsis: "",
  description:
    "Lists the containers that have been made by `image run` and not been removed, the oldest first. Others, made by `create` and `run`,\n" +
    "are listed by `tsrunc list`.",
  examples: ["tsrunc container list", "tsrunc container list --format json"],
  options: {
    ...storeOptions,
    ...formatOption,
    all: { ...toggle("also those that do not run (default: true)", { short: "a" }), initial: true },
    quiet: toggle("print ids only", { short: "q" }),
  },
  async run({ options }) {
    const { describeContainers } = await import("../../../image/containers/describe.ts");
    const { SHORT_ID } = await import("../../../image/containers/names.ts");
    const { recoverAll } = await import("../../../image/containers/start.ts");
    const { formatAge } = await import("../../../image/progress/units.ts");
    const store = await openNamedStore(options);
    await recoverAll(store);
    const runs = new Set(["starting", "running", "paused"]);
    const containers = describeContainers(store).filter(
      ({ status, pid }) => options.all || runs.has(status) || pid !== 0,
    );
    if (options.quiet) {
      if (containers.length > 0) print(containers.map(({ id }) => id.slice(0, SHORT_ID)).join("\n"));
    } else if (options.format === "json") {
      print(JSON.stringify(containers));
    } else {
      const rows = containers.map(({ id, name, image, created, status, exitCode, ports }) => [
        id.slice(0, SHORT_ID),
        name,
        image,
        created === null ? "" : formatAge(created),
        status === "exited" ? `exited (${exitCode ?? "unknown"})` : status,
        ports.join(", "),
      ]);
      print(alignColumns([["CONTAINER ID", "NAME", "IMAGE", "CREATED", "STATUS", "PORTS"], ...rows]));
    }
    return 0;
  },
});
