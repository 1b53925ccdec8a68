/** Prints what `openProcfs` finds at the paths given, in JSON: a program, to be run in mount namespaces of its own. */
import { readFileSync } from "node:fs";
import { O } from "../../src/sys/fd.ts";
import { openProcfs } from "../../src/sys/path.ts";

const found = process.argv.slice(2).map((path) => {
  try {
    using file = openProcfs(path, O.RDONLY);
    return readFileSync(file.number, "utf8").trim();
  } catch (error) {
    return (error as Error).message;
  }
});
console.log(JSON.stringify(found));
