import { restoreContainer } from "../../runtime/restore.ts";
import { resolve } from "../../sys/path-names.ts";
import { defineCommand } from "../command.ts";
import { criuChoices, criuOptions } from "../criu-options.ts";
import { text, toggle } from "../option.ts";
import { processOptions } from "../process-options.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Has a container go on that `checkpoint` has written down, by CRIU, and waits for its process as `run` does.\n" +
    "The bundle is to be as it was; the container may have another id.",
  examples: [
    "tsrunc restore --image-path DIR --bundle BUNDLE web",
    "tsrunc restore --detach --image-path DIR --bundle BUNDLE web",
  ],
  options: {
    ...criuOptions,
    bundle: text("DIR", "the bundle directory (default: the current directory)", { short: "b" }),
    "console-socket": processOptions["console-socket"],
    "pid-file": processOptions["pid-file"],
    detach: toggle("return once the container runs, and leave it", { short: "d" }),
    "no-subreaper": toggle("leave re-parented processes to the caller"),
    "no-pivot": toggle("has no effect: CRIU changes the root in its own way"),
    "tcp-close": toggle("bring TCP connections back closed"),
    "lsm-profile": text("TYPE:NAME", "profile of the security module to restore with, such as apparmor:NAME"),
    "lsm-mount-context": text("CONTEXT", "SELinux label of the mounts to restore"),
  },
  async run({ context, options, args: [id = ""] }) {
    const { "console-socket": consoleSocket, "pid-file": pidFile } = options;
    const { "lsm-profile": lsmProfile, "lsm-mount-context": lsmMountContext } = options;
    if (options["no-pivot"]) context.log.warn("--no-pivot has no effect: CRIU changes the root in its own way");
    return restoreContainer(context, {
      ...criuChoices(options),
      id,
      bundle: resolve(options.bundle || "."),
      detach: options.detach,
      noSubreaper: options["no-subreaper"],
      tcpClose: options["tcp-close"],
      ...(consoleSocket && { consoleSocket }),
      ...(pidFile && { pidFile: resolve(pidFile) }),
      ...(lsmProfile && { lsmProfile }),
      ...(lsmMountContext && { lsmMountContext }),
    });
  },
});
