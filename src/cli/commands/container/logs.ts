import { writeOut } from "../../../sys/standard-streams.ts";
import { defineCommand } from "../../command.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { text, toggle } from "../../option.ts";
import { UsageError } from "../../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container>",
  description:
    "Shows what a container's process has written: its output on stdout, its errors on stderr. What a terminal shows is all output.",
  examples: ["tsrunc container logs --follow web", "tsrunc container logs --tail 20 web"],
  options: {
    ...storeOptions,
    follow: toggle("wait for more, until it has ended", { short: "f" }),
    tail: text("N", "only the last N lines (default: all)", { short: "n" }),
    since: text("TIME", "only what came since then: 2026-01-31T12:00:00Z, seconds since 1970, or 10m ago"),
    timestamps: toggle("show when each line came", { short: "t" }),
  },
  async run({ options: { follow, tail, timestamps, since, ...options }, args: [name = ""] }) {
    const { findContainer } = await import("../../../image/containers/find.ts");
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
      since: since === undefined ? null : toTime(since, Date.now()),
      timestamps,
      write: writeOut,
    });
    return 0;
  },
});

/** A time, or how long ago, as RFC 3339 has it in the log. @throws {UsageError} */
function toTime(text: string, now: number): string {
  const ago = /^(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/.exec(text);
  const [, hours = 0, minutes = 0, seconds = 0] = (ago ?? []).map((part) => Number(part ?? 0));
  const time =
    ago !== null
      ? now - (hours * 3600 + minutes * 60 + seconds) * 1000
      : /^\d+(\.\d+)?$/.test(text)
        ? Number(text) * 1000
        : /^\d{4}-\d\d-\d\d/.test(text)
          ? Date.parse(text)
          : Number.NaN;
  if (Number.isNaN(time))
    throw new UsageError(`--since ${JSON.stringify(text)}: a time such as 2026-01-31T12:00:00Z, or 1h30m, is right`);
  return new Date(time).toISOString();
}
