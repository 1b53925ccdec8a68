import { defineCommand } from "../../command.ts";
import { fileName } from "../../file-name.ts";
import { imageBundleOptions, toBundleOptions } from "../../image-bundle-options.ts";
import { openNamedStore, toPlatform, withReporter } from "../../image-options.ts";
import { choice, list, size, text, toggle } from "../../option.ts";
import { print } from "../../output.ts";
import { asUsage, UsageError } from "../../usage-error.ts";

export const command = defineCommand({
  synopsis: "<image> [arg...]",
  description:
    "Runs a container from an image. With --name or --detach it stays when it has ended (see `tsrunc help container`), unless --rm says\n" +
    "otherwise; without them it is removed. The exit code is the process's own, 128+N when signal N ended it.",
  examples: [
    "tsrunc image run alpine echo hello",
    "tsrunc image run -t --volume /srv:/srv:ro alpine sh",
    "tsrunc image run --detach --name db --volume data:/var/lib/postgresql postgres",
    "tsrunc image run --detach --name web --publish 8080:80 nginx",
  ],
  options: {
    ...imageBundleOptions,
    volume: list("SRC:DST[:OPTIONS]", "mount SRC on DST: a path of the host's, or the name of a volume", {
      short: "v",
    }),
    network: choice(
      ["none", "host", "pasta"],
      "none: only a loopback interface; host: the caller's network; pasta: a network of its own (default: none, with --publish pasta)",
    ),
    publish: list("[[ADDR:]PORT:]PORT[/udp]", "let a port of the host lead to one of the container's", { short: "p" }),
    name: text("NAME", "the container's name, and its id for the runtime (default: one of its own)"),
    cidfile: fileName("FILE", "write the container's id to a file that is not there yet"),
    detach: toggle("return once the process has started, and print the container's id", { short: "d" }),
    rm: toggle("remove the container when its process has ended"),
    interactive: toggle("pass the standard input on to a container that stays; to others it is in any case", {
      short: "i",
    }),
    "stop-signal": text("SIGNAL", "what `container stop` sends (default: the image's, or TERM)"),
    "stop-timeout": text("SECONDS", "how long that waits before KILL (default: the image's, or 10)"),
    "log-size": { ...size("BYTES", "what the log takes at most (default: 10m)"), initial: 10 * 1024 ** 2 },
  },
  stopAtFirst: true,
  async run({ context, runtimeArgs, options, given, args: [reference = "", ...args] }) {
    const { detach, name, publish } = options;
    const { parseNamedMount } = await import("../../../image/volumes/volume.ts");
    const { refuseMissingSources } = await import("../../../image/bundle/options.ts");
    const { parsePublish, refuseSharedPorts } = await import("../../../image/containers/publish.ts");
    const named = options.volume.map((volume) => ({ volume, mount: asUsage(() => parseNamedMount(volume)) }));
    const namedVolumes = named.flatMap(({ mount }) => mount ?? []);
    const published = publish.map((port) => asUsage(() => parsePublish(port)));
    asUsage(() => refuseSharedPorts(published));
    const network = given.has("network") || publish.length === 0 ? options.network : "pasta";
    if (publish.length > 0 && network !== "pasta")
      throw new UsageError(`--publish needs --network pasta, not ${network}`);
    const bundleOptions = await toBundleOptions(
      {
        ...options,
        network: network === "host" ? "host" : "none",
        volume: named.flatMap(({ volume, mount }) => (mount === null ? [volume] : [])),
      },
      args,
      namedVolumes,
    );
    asUsage(() => refuseMissingSources(bundleOptions.mounts));
    const platform = await toPlatform(options.platform);
    const { unpackProgress } = await import("../../../image/progress/unpacking.ts");
    const store = await openNamedStore(options);
    const isKept = name !== undefined || detach;
    const isRecorded = isKept || options.cidfile !== undefined;
    // Nobody will ask for it by name: the runtime itself stands in for the process, and there is no log to keep.
    if (!isRecorded && namedVolumes.length === 0 && network !== "pasta") {
      const { runImage } = await import("../../../image/bundle/run.ts");
      return withReporter(options.quiet, (reporter) =>
        runImage({
          store,
          reference,
          ...platform,
          options: bundleOptions,
          progress: unpackProgress(reporter),
          runtimeArgs,
        }),
      );
    }
    const stopTimeout = options["stop-timeout"];
    if (stopTimeout !== undefined && !/^\d{1,7}$/.test(stopTimeout))
      throw new UsageError(`--stop-timeout ${JSON.stringify(stopTimeout)}: a number of seconds is expected`);
    const logSize = Number(options["log-size"]);
    if (logSize < 65536) throw new UsageError("--log-size: 64k is the least");
    const { createContainer } = await import("../../../image/containers/create.ts");
    const { runAttached, startContainer } = await import("../../../image/containers/start.ts");
    const { isThere } = await import("../../../image/containers/record.ts");
    const { unlinkIfThere } = await import("../../../sys/file.ts");
    const { removeContainer } = await import("../../../image/containers/rm.ts");
    const container = await withReporter(options.quiet, (reporter) =>
      createContainer({
        store,
        reference,
        ...platform,
        options: bundleOptions,
        progress: unpackProgress(reporter),
        name: name ?? null,
        root: context.root,
        autoRemove: options.rm || !isKept,
        interactive: options.interactive && !detach,
        network,
        publish: published,
        namedVolumes,
        stopSignal: options["stop-signal"] ?? null,
        stopTimeout: stopTimeout === undefined ? null : Number(stopTimeout),
        logSize,
        idFile: options.cidfile ?? null,
      }),
    );
    try {
      if (!detach) return await runAttached(store, container);
      await startContainer(store, container);
    } catch (error) {
      // It has never run: there is nothing to keep. (One whose watcher was killed runs on.)
      if (detach) await removeContainer(store, container, { force: true });
      else if (container.autoRemove) await removeContainer(store, container, { force: false }).catch(() => {});
      if (options.cidfile !== undefined && !isThere(store, container.id)) unlinkIfThere(options.cidfile);
      throw error;
    }
    print(container.id);
    return 0;
  },
});
