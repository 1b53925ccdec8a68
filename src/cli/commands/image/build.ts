import { say } from "../../../sys/standard-streams.ts";
import { defineCommand } from "../../command.ts";
import { fileName, toFileName } from "../../file-name.ts";
import { toAgents, toBuildArguments, toContexts, toEpoch, toOutput, toSecrets } from "../../image-build-options.ts";
import {
  openNamedStore,
  platformOption,
  quietOption,
  registryOptions,
  storeOptions,
  toRegistryOptions,
  withReporter,
} from "../../image-options.ts";
import { toLabels } from "../../labels.ts";
import { choice, list, text, toggle } from "../../option.ts";
import { print } from "../../output.ts";

export const command = defineCommand({
  synopsis: "<context>",
  description:
    "Builds an image from a Dockerfile and a context: a directory, or - for a tar archive on stdin. Steps whose input has not changed come from\n" +
    "the cache. RUN has the walls of a default container.",
  examples: [
    "tsrunc image build -t app:1 .",
    "tsrunc image build -t app:1 -f FILE --build-arg VERSION=2 --target test .",
  ],
  options: {
    tag: list("NAME[:TAG]", "give the image a name; may be repeated", { short: "t" }),
    file: fileName("FILE", "the Dockerfile; - for stdin (default: Dockerfile in the context)", { short: "f" }),
    "build-arg": list("NAME=VALUE", "set an argument that an ARG declares; NAME alone takes the caller's variable"),
    target: text("STAGE", "build this stage, by name or number (default: the last)"),
    label: list("NAME=VALUE", "add a label to the image"),
    secret: list("id=ID[,src=FILE|,env=NAME]", "give RUN --mount=type=secret something that no layer gets"),
    ssh: list("ID[=SOCKET]", "let RUN --mount=type=ssh speak to an ssh agent (default: that of SSH_AUTH_SOCK)"),
    "build-context": list(
      "NAME=DIR|docker-image://REF",
      "give a name that COPY --from, RUN --mount=from and FROM may use; may be repeated",
    ),
    network: choice(
      ["default", "none", "host"],
      "the network of RUN (default: one of its own by pasta, where that is installed, else the host's)",
    ),
    "no-cache": toggle("carry out every step"),
    pull: toggle("fetch base images anew"),
    squash: toggle("make one layer of those that are built"),
    compression: choice(["gzip", "zstd"], "how new layers are compressed (default: gzip)"),
    iidfile: fileName("FILE", "write the image's id to a file"),
    output: text("DIR|type=local|tar|oci|docker,dest=PATH", "write the result there, too", { short: "o" }),
    progress: choice(
      ["auto", "plain", "tty", "json"],
      "plain: a line an event; tty: redrawn in place; json: an object a line (default: tty on a terminal)",
    ),
    explain: toggle("print what would be done, and do nothing"),
    ...platformOption,
    ...storeOptions,
    ...registryOptions,
    ...quietOption,
  },
  async run({ runtimeArgs, options, args: [directory = ""] }) {
    const { runBuild } = await import("../../../image/build/run-build.ts");
    const { parsePlatform } = await import("../../../image/store/platform.ts");
    const store = await openNamedStore(options);
    const buildArgs = toBuildArguments(options["build-arg"]);
    const output = options.output === undefined ? null : toOutput(options.output);
    const lines = await withReporter(options.progress === "json" ? "json" : options.quiet, (reporter) =>
      runBuild({
        store,
        context: toFileName(directory),
        file: options.file ?? null,
        tags: options.tag,
        buildArgs,
        target: options.target ?? null,
        labels: toLabels(options.label),
        secrets: toSecrets(options.secret),
        ssh: toAgents(options.ssh),
        contexts: toContexts(options["build-context"]),
        platform: options.platform === undefined ? null : parsePlatform(options.platform),
        network: options.network,
        noCache: options["no-cache"],
        pull: options.pull,
        squash: options.squash,
        compression: options.compression,
        sourceDateEpoch: toEpoch(buildArgs.get("SOURCE_DATE_EPOCH") ?? process.env["SOURCE_DATE_EPOCH"]),
        iidFile: options.iidfile ?? null,
        output,
        registry: toRegistryOptions(options),
        runtimeArgs,
        reporter,
        progress: options.quiet && options.progress !== "json" ? "quiet" : options.progress,
        explain: options.explain,
      }),
    );
    // An archive on stdout ends where it ends.
    const isTaken = output !== null && output.path === "-" && !options.explain;
    for (const line of lines) {
      if (isTaken) say(`${line}\n`);
      else print(line);
    }
    return 0;
  },
});
