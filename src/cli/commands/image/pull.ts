import { defineCommand } from "../../command.ts";
import {
  openNamedStore,
  platformOption,
  progressOption,
  quietOption,
  registryOptions,
  resultOption,
  storeOptions,
  toPlatform,
  toRegistryOptions,
  withReporter,
} from "../../image-options.ts";
import { toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<reference>",
  description:
    "Fetches an image from a registry into the store. The reference is read as Docker reads it: alpine is docker.io/library/alpine:latest. " +
    "Layers that are held already are not fetched; what was interrupted goes on where it ended. Of an index the image for the platform is taken.",
  examples: ["tsrunc image pull alpine:3.20", "tsrunc image pull --plain-http localhost:5000/app@sha256:DIGEST"],
  options: {
    ...storeOptions,
    ...platformOption,
    all: toggle("fetch the images of all platforms", { short: "a" }),
    ...registryOptions,
    ...progressOption,
    ...quietOption,
    ...resultOption,
  },
  async run({ options, args }) {
    const { pullImage } = await import("../../../image/operations/pull.ts");
    const store = await openNamedStore(options);
    const platform = await toPlatform(options.platform);
    const pulled = await withReporter(
      options.progress === "json" ? "json" : options.quiet || options.format === "json",
      (reporter) =>
        pullImage(store, args[0] as string, { ...toRegistryOptions(options), ...platform, all: options.all }, reporter),
    );
    print(
      options.format === "json"
        ? JSON.stringify(pulled)
        : options.quiet
          ? pulled.name
          : `${pulled.name}\n${pulled.digest}`,
    );
    return 0;
  },
});
