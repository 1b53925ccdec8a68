/** The options that `create`, `run` and `exec` share, and what they become. */

import type { CreateOptions, ProcessOptions } from "../runtime/options.ts";
import { resolve } from "../sys/path-names.ts";
import { count, type OptionValues, text, toggle } from "./option.ts";

/** How a process is connected to the caller. */
export const processOptions = {
  "console-socket": text("SOCKET", "UNIX socket that receives the terminal's master"),
  "pidfd-socket": text("SOCKET", "UNIX socket that receives a pidfd of the process"),
  "pid-file": text("FILE", "write the process id, as the host sees it, to FILE"),
  "preserve-fds": count("N", "pass N descriptors from 3 on to the process, besides those of $LISTEN_FDS (default: 0)"),
} as const;

/** What a container is made from, and how. */
export const bundleOptions = {
  bundle: text("DIR", "the bundle directory (default: the current directory)", { short: "b" }),
  config: text("FILE", "the configuration (default: config.json in the bundle)", { short: "f" }),
  ...processOptions,
  "no-pivot": toggle(
    "enter the rootfs by chroot, not pivot_root: for a rootfs on the initial ramdisk. Weaker isolation",
  ),
  "no-new-keyring": toggle("keep the caller's session keyring rather than make a new one"),
  "no-subreaper": toggle("leave re-parented processes to the caller"),
  explain: toggle("print what would be done, a step a line, and change nothing"),
} as const;

/** How the process is connected; an option that was not given, or is empty, is left out. Paths of sockets stay as typed: an absolute one may not fit. */
export function connection(options: OptionValues<typeof processOptions>): Omit<ProcessOptions, "detach"> {
  const { "console-socket": consoleSocket, "pidfd-socket": pidfdSocket, "pid-file": pidFile } = options;
  return {
    ...(consoleSocket && { consoleSocket }),
    ...(pidfdSocket && { pidfdSocket }),
    ...(pidFile && { pidFile: resolve(pidFile) }),
    preserveFds: options["preserve-fds"],
  };
}

/** What `create` needs of the options; paths absolute. */
export function creation(id: string, options: OptionValues<typeof bundleOptions>): CreateOptions {
  return {
    id,
    bundle: resolve(options.bundle || "."),
    ...(options.config && { config: resolve(options.config) }),
    ...connection(options),
    noPivot: options["no-pivot"],
    noNewKeyring: options["no-new-keyring"],
  };
}
