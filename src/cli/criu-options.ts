/** The options that `checkpoint` and `restore` share, and what they become. Names and meaning are runc's; `--network-lock` is crun's. */
import type { CGROUP_MODE, NETWORK_LOCK } from "../criu/messages.ts";
import type { CommonOptions } from "../criu/options.ts";
import { resolve } from "../sys/path-names.ts";
import { list, type Option, type OptionValues, text, toggle } from "./option.ts";
import { UsageError } from "./usage-error.ts";

const MODES = ["soft", "full", "strict", "ignore"] as const satisfies (keyof typeof CGROUP_MODE)[];

const manageCgroupsMode: Option<string | undefined> = text(
  MODES.join("|"),
  "what CRIU does about cgroups (default: soft)",
);

const LOCKS = ["iptables", "nftables", "skip"] as const satisfies (keyof typeof NETWORK_LOCK)[];

export const criuOptions = {
  "image-path": text("DIR", "directory of the images (default: checkpoint, in the current directory)"),
  "work-path": text("DIR", "directory of CRIU's log and temporary files (default: that of the images)"),
  "tcp-established": toggle("allow established TCP connections"),
  "ext-unix-sk": toggle("allow UNIX sockets whose other end is outside of the container"),
  "shell-job": toggle("allow a container that shares its session or terminal with the caller"),
  "file-locks": toggle("allow file locks"),
  "lazy-pages": toggle("leave memory pages where they are until they are needed (userfaultfd)"),
  "auto-dedup": toggle("remove from earlier images what later ones have, too"),
  "manage-cgroups-mode": manageCgroupsMode,
  "network-lock": text(LOCKS.join("|"), "how CRIU keeps packets away meanwhile (default: as CRIU does)"),
  "empty-ns": list("NAMESPACE", "leave a namespace empty: network, which always is"),
} as const;

/** What they become; paths absolute. @throws {UsageError} */
export function criuChoices(options: OptionValues<typeof criuOptions>): CommonOptions {
  for (const name of options["empty-ns"]) {
    if (name !== "network")
      throw new UsageError(`--empty-ns: namespace ${JSON.stringify(name)} is not supported: only network is`);
  }
  const workPath = options["work-path"];
  const { "manage-cgroups-mode": mode, "network-lock": networkLock } = options;
  return {
    imagePath: resolve(options["image-path"] || "checkpoint"),
    ...(workPath && { workPath: resolve(workPath) }),
    tcpEstablished: options["tcp-established"],
    extUnixSk: options["ext-unix-sk"],
    shellJob: options["shell-job"],
    fileLocks: options["file-locks"],
    lazyPages: options["lazy-pages"],
    autoDedup: options["auto-dedup"],
    // Not given, or empty, is CRIU's own default, as with runc.
    manageCgroupsMode: mode ? oneOf(MODES, "manage-cgroups-mode", mode) : "default",
    ...(networkLock && { networkLock: oneOf(LOCKS, "network-lock", networkLock) }),
  };
}

/** @throws {UsageError} */
function oneOf<T extends string>(known: readonly T[], option: string, given: string): T {
  const found = known.find((one) => one === given);
  if (found === undefined) throw new UsageError(`--${option} ${given}: must be one of ${known.join(", ")}`);
  return found;
}
