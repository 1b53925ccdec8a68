import { defineCommand } from "../../command.ts";
import { eachContainer } from "../../each-container.ts";
import { openNamedStore, storeOptions } from "../../image-options.ts";
import { choice, text } from "../../option.ts";
import { UsageError } from "../../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container...>",
  description:
    "Stops containers: sends each the stop signal of its image (default: TERM), and KILL when it has not ended after some seconds.\n" +
    "They stay, and can be started again. Several are stopped at once.",
  examples: ["tsrunc container stop web", "tsrunc container stop --time 60 db"],
  options: {
    ...storeOptions,
    format: choice(["text", "json"], "text or json (default: text)"),
    time: text("SECONDS", "how long to wait before KILL; 0 for not at all (default: the container's own, 10)", {
      short: "t",
    }),
  },
  async run({ options, args }) {
    const { time } = options;
    if (time !== undefined && !/^\d{1,7}$/.test(time))
      throw new UsageError(`--time ${JSON.stringify(time)}: a number of seconds is expected`);
    const { stopContainer } = await import("../../../image/containers/stop.ts");
    const store = await openNamedStore(options);
    const seconds = time === undefined ? undefined : Number(time);
    return eachContainer(store, args, (container) => stopContainer(store, container, seconds), {
      ...options,
      together: true,
    });
  },
});
