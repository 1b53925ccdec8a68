/** The command line: which runtimes, which checks, which report. */
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError, Option } from "commander";
import { startVitest } from "vitest/node";
import { VARIABLES } from "./harness/selection.ts";

const root = dirname(fileURLToPath(import.meta.url));

interface Options {
  runtime: string[];
  only?: string;
  level?: string;
  bail?: boolean;
  keep?: boolean;
  busybox?: string;
  deviations?: string;
  reporter: string;
  output?: string;
}

const REPORTERS = ["chapters", "tree", "tap", "junit", "json"] as const;

export const program = new Command("oci-runtime-conformance")
  .description(
    "Tells how well OCI container runtimes keep the runtime specification. Needs root, and a static busybox.",
  )
  .argument("[files...]", "only checks whose file's path contains one of these: runtime/, config-linux/devices, …")
  .option("--runtime <path>", "a runtime to test, by path or by its name in PATH; repeatable", collect, [])
  .option("--only <text>", "only checks with this text in their title")
  .addOption(
    new Option("--level <level>", "only checks of this level and stricter ones").choices(["must", "should", "may"]),
  )
  .option("--bail", "stop at the first failure")
  .option("--keep", "keep the bundles, to look at them")
  .option(
    "--deviations <file>",
    "JSON: titles of checks to the reasons why the runtime deviates on purpose; they are skipped",
  )
  .option("--busybox <path>", "the static busybox of the containers")
  .addOption(new Option("--reporter <name>", "form of the report").choices(REPORTERS).default("chapters"))
  .option("--output <file>", "write the report to a file (junit, json)")
  .action(run);

function collect(value: string, before: string[]): string[] {
  return [...before, find(value)];
}

/** @throws {InvalidArgumentError} when there is no such executable */
function find(runtime: string): string {
  const places = runtime.includes("/") ? [resolve(runtime)] : searchPath().map((folder) => join(folder, runtime));
  const found = places.find(isExecutable);
  if (found === undefined) throw new InvalidArgumentError(`no executable ${places.join(", ")}`);
  return found;
}

function searchPath(): string[] {
  return (process.env["PATH"] ?? "").split(":").concat("/usr/local/sbin", "/usr/sbin", "/sbin");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Runs the checks; the exit code is 1 when one failed, and 2 when none was run. */
async function run(files: string[], options: Options): Promise<void> {
  const runtimes = options.runtime.length > 0 ? options.runtime : [find(defaultRuntime())];
  process.env[VARIABLES.runtimes] = runtimes.join("\n");
  if (options.level) process.env[VARIABLES.level] = options.level.toUpperCase();
  if (options.only) process.env[VARIABLES.only] = options.only;
  if (options.keep) process.env[VARIABLES.keep] = "1";
  if (options.busybox) process.env[VARIABLES.busybox] = resolve(options.busybox);
  if (options.deviations) process.env[VARIABLES.deviations] = resolve(options.deviations);
  const reporter = options.reporter === "chapters" ? join(root, "report/chapters.ts") : options.reporter;
  await startVitest("test", files, {
    root,
    config: join(root, "vitest.config.ts"),
    watch: false,
    reporters: [reporter],
    bail: options.bail ? 1 : 0,
    passWithNoTests: true,
    ...(options.output && { outputFile: resolve(options.output) }),
  });
}

/** In the repository the tsrunc that was built; elsewhere runc. */
function defaultRuntime(): string {
  const built = join(root, "../dist/tsrunc");
  return existsSync(built) ? built : "runc";
}

await program.parseAsync();
