/** The library as npm has it: JavaScript and declarations of `src/library`, and of what they import. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { put } from "../tree.ts";

/** What can be imported, and the file that it comes from. */
const ENTRIES = { ".": "library/index", "./validators": "library/validators" } as const;

/** The schemas that describe what a program reads or writes. */
const SCHEMAS = ["config.json", "features.json", "state.json"] as const;

/** `exports` of the package. A `require` of Node 20.19, 22.12 and newer takes modules, too. */
export const EXPORTS = {
  ...Object.fromEntries(
    Object.entries(ENTRIES).map(([name, file]) => [name, { types: `./lib/${file}.d.ts`, default: `./lib/${file}.js` }]),
  ),
  ...Object.fromEntries(SCHEMAS.map((name) => [`./schema/${name}`, `./schema/${name}`])),
  "./package.json": "./package.json",
};

/**
 * Writes `lib/` and `schema/` of the package.
 * @throws {Error} with the compiler's complaints
 */
export function writeLibrary(project: string, output: string): void {
  const compiled = mkdtempSync(join(tmpdir(), "tsrunc-library-"));
  try {
    compile(project, compiled);
    const generated = join(project, "src/config/generated");
    for (const file of closure(
      Object.values(ENTRIES),
      (file) => read(compiled, file) ?? read(join(generated, "../.."), file),
    ))
      put(join(output, "lib", file.path), file.text);
    for (const name of SCHEMAS) put(join(output, "schema", name), readFileSync(join(project, "schema", name)));
  } finally {
    rmSync(compiled, { recursive: true, force: true });
  }
}

function compile(project: string, output: string): void {
  const args = ["-p", join(project, "package/npm/tsconfig.json"), "--outDir", output];
  try {
    execFileSync(join(project, "node_modules/.bin/tsc"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`tsc: ${(error as { stdout: string }).stdout.trim()}`);
  }
}

interface File {
  path: string;
  text: string;
}

function read(root: string, path: string): string | null {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

/** The files that the entries come to, with all that they import: what only types need of the rest of the program stays out. */
function closure(entries: readonly string[], readFile: (path: string) => string | null): File[] {
  const files = new Map<string, File>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    const source = readFile(path);
    if (source === null) throw new Error(`the library has no ${path}`);
    const text = path.endsWith(".d.ts") ? withJavaScriptNames(source) : source;
    files.set(path, { path, text });
    for (const [, name = ""] of text.matchAll(/\bfrom "(\.[^"]+)\.js"/g)) {
      const imported = relative(".", join(dirname(path), name));
      visit(`${imported}${path.endsWith(".d.ts") ? ".d.ts" : ".js"}`);
    }
  };
  for (const entry of entries) for (const ending of [".js", ".d.ts"]) visit(`${entry}${ending}`);
  return [...files.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Declarations name each other as their sources do, which not every compiler takes from a package. */
function withJavaScriptNames(declarations: string): string {
  return declarations.replaceAll(/\bfrom "(\.[^"]+)\.ts"/g, 'from "$1.js"');
}
