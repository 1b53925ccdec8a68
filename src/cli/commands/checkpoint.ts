import { checkpointContainer } from "../../runtime/checkpoint.ts";
import { defineCommand } from "../command.ts";
import { criuChoices, criuOptions } from "../criu-options.ts";
import { integer, text, toggle } from "../option.ts";
import { UsageError } from "../usage-error.ts";

export const command = defineCommand({
  synopsis: "<container-id>",
  description:
    "Writes a running container down, by CRIU, so that `restore` can have it go on: here or on another machine.\n" +
    "The container ends and is deleted, unless it is to be left running.",
  examples: [
    "tsrunc checkpoint --image-path DIR web",
    "tsrunc checkpoint --pre-dump --image-path DIR/1 web",
    "tsrunc checkpoint --parent-path ../1 --image-path DIR/2 web",
  ],
  options: {
    ...criuOptions,
    "parent-path": text("DIR", "directory of the images before these, relative to --image-path"),
    "leave-running": toggle("leave the container running"),
    "pre-dump": toggle("write memory only, for a checkpoint to come, and leave the container running"),
    "page-server": text("ADDRESS:PORT", "send memory pages there; with --lazy-pages, serve them there"),
    "status-fd": integer("FD", "descriptor that gets a zero byte when lazy pages can be fetched"),
    "tcp-skip-in-flight": toggle("leave out TCP connections that are not established yet"),
    "link-remap": toggle("allow files that have been removed, by links made again"),
  },
  async run({ context, options, args: [id = ""] }) {
    const { "parent-path": parentPath, "page-server": pageServer, "status-fd": statusFd } = options;
    checkpointContainer(context, id, {
      ...criuChoices(options),
      ...(parentPath && { parentPath }),
      ...(pageServer && { pageServer: endpoint(pageServer) }),
      ...(statusFd !== undefined && statusFd !== -1 && { statusFd: descriptor(statusFd) }),
      leaveRunning: options["leave-running"],
      preDump: options["pre-dump"],
      tcpSkipInFlight: options["tcp-skip-in-flight"],
      linkRemap: options["link-remap"],
    });
    return 0;
  },
});

/** @throws {UsageError} */
function endpoint(given: string): { address: string; port: number } {
  const [, bracketed, plain, digits = ""] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(given) ?? [];
  const address = bracketed ?? plain;
  if (address === undefined) throw new UsageError(`--page-server ${given}: use --page-server ADDRESS:PORT`);
  const port = Number(digits);
  if (port < 1 || port > 65535) throw new UsageError(`--page-server ${given}: a port is a number from 1 to 65535`);
  return { address, port };
}

/** @throws {UsageError} */
function descriptor(given: number | bigint): number {
  const number = Number(given);
  if (number >= 0 && number < 2 ** 31) return number;
  throw new UsageError(`--status-fd ${given}: the number of a descriptor is expected`);
}
