/** The context of a build, and its Dockerfile. */
import { readFileSync, readSync, statSync } from "node:fs";
import { nameOfText } from "../../sys/byte-name.ts";
import { Fd, O, open } from "../../sys/fd.ts";
import { basename, dirname, join as joinPaths, relative, resolve } from "../../sys/path-names.ts";
import { fstat, isType } from "../../sys/stat.ts";
import { SourceTree } from "./execute/tree.ts";
import { IgnoreRules } from "./paths/ignore.ts";

/** What a build begins with. */
export interface OpenContext extends Disposable {
  tree: SourceTree;
  dockerfile: { text: string; name: string };
}

/** Bytes of a Dockerfile or an ignore file. */
const LARGEST = 8 << 20;

/**
 * @param context a directory, or `-`
 * @param file of the Dockerfile: a path as it is seen from here, or one in the context; `-` for stdin
 * @param scratch makes a directory for what comes on stdin
 * @throws {Error}
 */
export async function openContext(context: string, file: string | null, scratch: () => string): Promise<OpenContext> {
  if (context === "-" && file === "-") throw new Error("the context and the Dockerfile cannot both come on stdin");
  const directory = context === "-" ? await unpackStdin(scratch()) : context;
  const isThere = statSync(directory, { throwIfNoEntry: false });
  if (isThere?.isDirectory() !== true) {
    const hint = /^(https?|git|ssh):|^git@/.test(context)
      ? "contexts from URLs are not supported: fetch it before"
      : "a directory, or - for a tar archive on stdin, is right";
    throw new Error(`the context ${JSON.stringify(context)} is no directory: ${hint}`);
  }
  const root = open(directory, O.RDONLY | O.DIRECTORY);
  const bare = new SourceTree(root, "the context", true, "root", IgnoreRules.none);
  const found =
    file === "-"
      ? { text: await readStdin(), name: "stdin", inContext: null }
      : readDockerfile(bare, directory, file, context === "-");
  const ignore = readIgnoreRules(bare, found.inContext);
  const tree = new SourceTree(root, "the context", true, "root", ignore);
  return { tree, dockerfile: { text: found.text, name: found.name }, [Symbol.dispose]: () => root.close() };
}

/** A directory that `--build-context` names, without what its own ignore file leaves out. @throws {Error} */
export function openNamedContext(directory: string): Pick<OpenContext, "tree"> & Disposable {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new Error(`the build context ${JSON.stringify(directory)} is no directory`);
  const root = open(directory, O.RDONLY | O.DIRECTORY);
  const label = `the build context ${directory}`;
  const bare = new SourceTree(root, label, true, "root", IgnoreRules.none);
  const tree = new SourceTree(root, label, true, "root", readIgnoreRules(bare, null));
  return { tree, [Symbol.dispose]: () => root.close() };
}

async function unpackStdin(directory: string): Promise<string> {
  const { unpackStream } = await import("./execute/archive.ts");
  return unpackStream(process.stdin, directory, "archive");
}

async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}

/** A path as it is seen from here counts first, as for Docker; else it is one in the context. */
function readDockerfile(tree: SourceTree, directory: string, file: string | null, isUnpacked: boolean) {
  const outside = file !== null && !isUnpacked && statSync(file, { throwIfNoEntry: false }) !== undefined ? file : null;
  if (outside !== null) {
    const path = relative(resolve(directory), resolve(outside));
    return { text: readWhole(outside), name: outside, inContext: path.startsWith("..") ? null : path };
  }
  const names = file === null ? ["Dockerfile", "dockerfile", "Containerfile"] : [file];
  for (const name of names) {
    const text = readInTree(tree, name);
    if (text !== null) return { text, name: file ?? (isUnpacked ? name : joinPaths(directory, name)), inContext: name };
  }
  throw new Error(
    file === null
      ? `there is no Dockerfile in ${directory}: --file names another`
      : `the Dockerfile ${JSON.stringify(file)} is neither here nor in the context`,
  );
}

function readWhole(path: string): string {
  const stat = statSync(path);
  if (stat.isDirectory()) throw new Error(`the Dockerfile ${JSON.stringify(path)} is a directory`);
  return readFileSync(path, "utf8");
}

/** @returns `null` where there is none */
function readInTree(tree: SourceTree, name: string): string | null {
  const found = tree.resolve(nameOfText(name));
  if (found === null) return null;
  using file = new Fd(tree.open(found.path, O.RDONLY | O.NONBLOCK));
  const stat = fstat(file.number);
  if (!isType(stat, "regular")) throw new Error(`${name} in ${tree.label} is no regular file`);
  if (stat.size > LARGEST) throw new Error(`${name} in ${tree.label} has ${stat.size} bytes: more than ${LARGEST}`);
  const memory = Buffer.alloc(stat.size);
  let length = 0;
  for (let count = -1; count !== 0 && length < memory.length; length += count)
    count = readSync(file.number, memory, length, memory.length - length, null);
  return memory.toString("utf8", 0, length);
}

/** `NAME.dockerignore` beside the Dockerfile counts, else the context's own. */
function readIgnoreRules(tree: SourceTree, dockerfile: string | null): IgnoreRules {
  const own = dockerfile === null ? [] : [joinPaths(dirname(dockerfile), `${basename(dockerfile)}.dockerignore`)];
  for (const name of [...own, ".dockerignore", ".containerignore"]) {
    const text = readInTree(tree, name);
    if (text !== null) return IgnoreRules.parse(text, name);
  }
  return IgnoreRules.none;
}
