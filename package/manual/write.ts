/** Writes the manual: `write.ts <directory> [<seconds since 1970>]`, the latter the time of the sources. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manualPages, SECTION } from "./pages.ts";

/** @returns the files, below `directory` */
export async function writeManual(directory: string, time: number): Promise<string[]> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const pages = await manualPages(new Date(time * 1000).toISOString().slice(0, 10));
  return pages.map(({ name, roff }) => {
    const file = join(directory, `${name}.${SECTION}`);
    writeFileSync(file, roff);
    return file;
  });
}

if (import.meta.main) {
  const [directory, time = "0"] = process.argv.slice(2);
  if (directory === undefined || !/^\d+$/.test(time)) {
    process.stderr.write("usage: write.ts <directory> [<seconds since 1970>]\n");
    process.exit(2);
  }
  await writeManual(directory, Number(time));
}
