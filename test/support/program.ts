/** Programs that tests start: what forks needs one thread, and neither vitest nor Bun with several source files has that. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** The environment in which the engine starts no threads of its own. */
export const ONE_THREAD = {
  BUN_JSC_useJIT: "0",
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  BUN_JSC_numberOfGCMarkers: "1",
  BUN_JSC_useConcurrentGC: "0",
};

/**
 * Bundles a program into one file, since Bun loads several by threads; it is removed after the tests of the file that calls this.
 * @param source path from the repository's root
 * @returns the command that starts it in {@link ONE_THREAD}
 */
export function buildProgram(source: string): string[] {
  const directory = join(ROOT, "build/programs");
  mkdirSync(directory, { recursive: true });
  // A name of this process's own: test files run side by side, and may build the same program.
  const output = join(directory, `${basename(source, ".ts")}-${process.pid}.js`);
  const { status, stderr } = spawnSync(process.execPath, ["build", "--target=bun", source, "--outfile", output], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot build ${source}: ${stderr}`);
  afterAll(() => rmSync(output, { force: true }));
  return [process.execPath, output];
}
