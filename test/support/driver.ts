/**
 * Drivers: programs that do for a test what the test's own process cannot, such as fork, which takes a process of one
 * thread. A driver is bundled, since the engine's loader of source files starts threads.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** What became of a driver. */
export interface DriverResult {
  /** The exit code; `null` when a signal ended it. */
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A driver, ready to run any number of times. */
export class Driver implements Disposable {
  readonly #directory: string;
  readonly #bundle: string;

  /** @param source path of the driver from the repository's root */
  constructor(source: string) {
    const parent = join(root, "build/drivers");
    mkdirSync(parent, { recursive: true });
    this.#directory = mkdtempSync(join(parent, "driver-"));
    this.#bundle = join(this.#directory, "driver.js");
    const built = spawnSync(
      process.execPath,
      ["build", "--target=bun", `--outfile=${this.#bundle}`, join(root, source)],
      {
        encoding: "utf8",
      },
    );
    if (built.status !== 0) throw new Error(`cannot bundle ${source}: ${built.stderr}`);
  }

  /** The command line that runs the driver, to be put behind another command such as `unshare --net`. */
  command(...args: string[]): string[] {
    return [process.execPath, this.#bundle, ...args];
  }

  /** The variables that keep the engine at one thread. */
  static readonly environment = {
    BUN_JSC_useJIT: "0",
    BUN_JSC_useWarmUpMarkedBlocks: "0",
    BUN_JSC_numberOfGCMarkers: "1",
    BUN_JSC_useConcurrentGC: "0",
  };

  run(...args: string[]): DriverResult {
    return runCommand(this.command(...args));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Runs a command with the drivers' environment. */
export function runCommand([command, ...args]: string[]): DriverResult {
  const { status, stdout, stderr } = spawnSync(command as string, args, {
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...Driver.environment },
  });
  return { status, stdout, stderr };
}
