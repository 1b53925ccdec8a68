import { defineCommand } from "../../command.ts";
import {
  openNamedStore,
  quietOption,
  registryOptions,
  resultOption,
  storeOptions,
  toRegistryOptions,
  withReporter,
} from "../../image-options.ts";
import { count } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<image> [reference]",
  description:
    "Sends an image to a registry: where its name says, or to another reference. Blobs that the registry has are not sent, or mounted from another " +
    "of its repositories; the manifest comes last.",
  examples: ["tsrunc image push localhost:5000/app:1", "tsrunc image push app:1 registry.example/team/app:1"],
  options: {
    ...storeOptions,
    "chunk-size": count("BYTES", "send blobs in pieces of this size (default: whole)"),
    ...registryOptions,
    ...quietOption,
    ...resultOption,
  },
  async run({ options, args: [image = "", target] }) {
    const { pushImage } = await import("../../../image/operations/push.ts");
    const store = await openNamedStore(options);
    const chunk = options["chunk-size"] === 0 ? {} : { chunk: options["chunk-size"] };
    const pushed = await withReporter(options.quiet || options.format === "json", (reporter) =>
      pushImage(store, image, target, { ...toRegistryOptions(options), ...chunk }, reporter),
    );
    print(
      options.format === "json"
        ? JSON.stringify(pushed)
        : options.quiet
          ? pushed.digest
          : `${pushed.name}\n${pushed.digest}`,
    );
    return 0;
  },
});
