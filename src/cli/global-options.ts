/** The options before the command, and the context that they make. */

import type { Context, Logger } from "../runtime/options.ts";
import { callerUid } from "../sys/executable.ts";
import { chmod, mkdirAll } from "../sys/file.ts";
import { resolve } from "../sys/path-names.ts";
import { inUserNamespace } from "../sys/user-namespace.ts";
import type { Parsed, Syntax } from "./command.ts";
import { choice, type OptionValues, text, toggle, tristate } from "./option.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_ROOT = "/run/tsrunc";

export const globalOptions = {
  root: text(
    "DIR",
    `where the states of containers are kept, on a tmpfs (default: ${DEFAULT_ROOT}; for an ordinary user $XDG_RUNTIME_DIR/tsrunc)`,
  ),
  log: text(
    "FILE",
    "append log records to FILE, or send them to journald:ID or syslog:ID (default: stderr); errors go to stderr in any case",
  ),
  "log-format": choice(["text", "json"], "format of log records (default: text)"),
  "log-level": {
    ...choice(
      ["info", "error", "warning", "warn", "debug"],
      "the least level to log: error, warning, info or debug (default: info)",
    ),
    argument: "LEVEL",
  },
  debug: toggle("log at level debug, and show where in the program an error arose"),
  "systemd-cgroup": toggle("let systemd make the cgroups: cgroupsPath is then slice:prefix:name"),
  "cgroup-manager": choice(["cgroupfs", "systemd", "disabled"], "who makes the cgroups (default: cgroupfs)"),
  rootless: tristate("whether errors for want of cgroup permissions are overlooked (default: auto)"),
  criu: text("PATH", "accepted, unused", { hidden: true }),
  help: toggle("show help", { short: "h" }),
  version: toggle("print the version", { short: "v" }),
  V: toggle("as crun has it", { hidden: true }),
} as const;

/** The program itself, for help. */
export const program = {
  summary: "Open Container Initiative runtime",
  synopsis: "[command...]",
  description:
    "Runs containers from OCI bundles: a bundle is a directory with config.json and a root filesystem.\n" +
    "The command line is runc's; crun's further options work, too.",
  examples: ["tsrunc spec --bundle DIR", "tsrunc run --bundle DIR my-container"],
  options: globalOptions,
  stopAtFirst: true,
} satisfies Syntax & { summary: string };

/** Their values. */
export type GlobalValues = OptionValues<typeof globalOptions>;

/**
 * The context for the runtime; makes the default root directory of an ordinary user.
 * @throws {UsageError}
 */
export function makeContext({ options, given }: Parsed<typeof globalOptions>, log: Logger): Context {
  return {
    root: given.has("root") ? givenRoot(options.root ?? "") : defaultRoot(),
    cgroupManager: cgroupManager(options, given),
    rootless: options.rootless === "auto" ? null : options.rootless,
    log,
  };
}

function cgroupManager(options: GlobalValues, given: ReadonlySet<string>): Context["cgroupManager"] {
  // Podman disables cgroups for one container with --cgroup-manager after the --systemd-cgroup that all of them get.
  if (!given.has("cgroup-manager") && options["systemd-cgroup"]) return "systemd";
  return options["cgroup-manager"];
}

function givenRoot(given: string): string {
  const root = resolve(given);
  if (root === "/") throw new UsageError("--root must not be /: it would hold a directory for each container");
  return root;
}

/** As runc chooses it: root's containers are found under one path, whatever `XDG_RUNTIME_DIR` says. */
function defaultRoot(): string {
  const runtimeDirectory = process.env["XDG_RUNTIME_DIR"];
  if (!runtimeDirectory || !honoursRuntimeDirectory()) return DEFAULT_ROOT;
  const root = `${runtimeDirectory}/tsrunc`;
  try {
    mkdirAll(root, 0o700);
    // The XDG base directory specification has files without the sticky bit removed after six hours.
    chmod(root, 0o1700);
  } catch (error) {
    throw new Error(`cannot make ${root} (from $XDG_RUNTIME_DIR): ${(error as Error).message}`);
  }
  return root;
}

function honoursRuntimeDirectory(): boolean {
  return callerUid() !== 0 || (inUserNamespace() && process.env["USER"] !== "root");
}
