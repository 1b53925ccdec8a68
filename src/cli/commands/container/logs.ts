import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { text, toggle } from "../../option.ts";
import { writeAll } from "../../output.ts";
import { UsageError } from "../../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container>",
  description:
    "Shows what a container's process has written: its output on stdout, its errors on stderr. What a terminal showed is not kept.",
  examples: ["tsrunc container logs --follow web", "tsrunc container logs --tail 20 web"],
  options: {
    ...storeOptions,
    follow: toggle("wait for more, until it has ended", { short: "f" }),
    tail: text("N", "only the last N lines (default: all)", { short: "n" }),
    timestamps: toggle("show when each line came", { short: "t" }),
  },
  async run({ options: { follow, tail, timestamps, ...options }, args: [name = ""] }) {
    const { findContainer } = await import("../../../image/containers/record.ts");
    const { showLogs } = await import("../../../image/containers/logs.ts");
    const { recover } = await import("../../../image/containers/start.ts");
    if (tail !== undefined && !/^(all|\d{1,9})$/.test(tail))
      throw new UsageError(`--tail ${JSON.stringify(tail)}: a number of lines is expected, or "all"`);
    const store = await openNamedStore(options);
    const container = findContainer(store, name);
    await recover(store, container);
    await showLogs(store, container, {
      follow,
      tail: tail === undefined || tail === "all" ? null : Number(tail),
      timestamps,
      write: (stream, bytes) => writeAll(stream === "stdout" ? 1 : 2, bytes),
    });
    return 0;
  },
});
