/**
 * What an entry of a layer asks for: the plan of its extraction, made by pure functions.
 * @see image-spec layer.md, "Whiteouts"
 */
import { type ByteName, baseOf, joinNames, parentOf } from "../../sys/byte-name.ts";
import { LayerError, quoted } from "./layer-error.ts";
import type { TarEntry } from "./tar-reader.ts";

/** Paths are relative to the root directory, without `.`, `..` and doubled slashes; the root's own is empty. */
export type Change =
  /** Something of lower layers goes away. */
  | { kind: "whiteout"; path: ByteName }
  /** All that lower layers have in a directory goes away. */
  | { kind: "opaque"; path: ByteName }
  /** Something is made, or a directory's attributes change. */
  | { kind: "make"; path: ByteName; entry: TarEntry }
  /** A file gets another name. */
  | { kind: "link"; path: ByteName; target: ByteName; entry: TarEntry }
  /** A file that others are links to, and that goes away in the end. */
  | { kind: "lend"; path: ByteName; entry: TarEntry }
  /** What AUFS kept for itself. */
  | { kind: "skip"; path: ByteName };

const WHITEOUT = ".wh.";
/** Names of AUFS's own. @see aufs(5); one of them is the opaque mark */
const INTERNAL = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";
/** Where AUFS keeps files that have several names: those names may be links to it. Docker and containers/storage resolve them, too. */
export const LINKED = ".wh..wh.plnk" as ByteName;

/** Bytes of a component. @see path_resolution(7), NAME_MAX */
const NAME_MAX = 255;
const PATH_MAX = 4096;

/**
 * What an entry asks for.
 * @param depth components that a path may have
 * @throws {LayerError} for a name that leads out of the root directory, is none, or is too long or too deep
 */
export function changeOf(entry: TarEntry, depth: number): Change {
  const path = pathInRoot(entry.name, depth, "a path");
  const components = path.split("/");
  const base = components.pop() as string;
  if (parentOf(path) === LINKED && entry.type === "file" && !base.startsWith(WHITEOUT))
    return { kind: "lend", path, entry };
  if (components.some((name) => name.startsWith(INTERNAL))) return { kind: "skip", path };
  if (components.some((name) => name.startsWith(WHITEOUT)))
    throw new LayerError(`a directory whose name begins with ${WHITEOUT}`);
  if (base === OPAQUE) return { kind: "opaque", path: parentOf(path) };
  if (base.startsWith(INTERNAL)) return { kind: "skip", path };
  if (base.startsWith(WHITEOUT)) {
    const name = base.slice(WHITEOUT.length) as ByteName;
    if (name === "" || name === "." || name === "..") throw new LayerError("a whiteout of no name");
    return { kind: "whiteout", path: joinNames(parentOf(path), name) };
  }
  if (path === "" && entry.type !== "directory")
    throw new LayerError(`a ${entry.type} in the place of the root directory`);
  if (entry.type === "hardLink") {
    if (entry.linkName === "") throw new LayerError("a hard link's target that is empty");
    const target = pathInRoot(entry.linkName, depth, "a hard link's target");
    if (baseOf(target).startsWith(WHITEOUT))
      throw new LayerError(`a hard link to ${quoted(target)}, which is a whiteout`);
    return { kind: "link", path, target, entry };
  }
  if (entry.type === "symlink" && (entry.linkName === "" || entry.linkName.length >= PATH_MAX)) {
    throw new LayerError(
      `a symlink to ${entry.linkName === "" ? "nothing" : `a path of ${entry.linkName.length} bytes`}`,
    );
  }
  return { kind: "make", path, entry };
}

/**
 * A name of an archive as a path below the root directory. A leading slash means that, too, and so does no name at all, as tar(1) writes it when
 * that directory is all that was asked for; `..` is taken back by what is before it.
 * @param what for messages: `a path`
 */
export function pathInRoot(name: ByteName, depth: number, what: string): ByteName {
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.pop() === undefined)
      throw new LayerError(`${what} that leads out of the root directory: ${quoted(name)}`);
    if (component.length > NAME_MAX)
      throw new LayerError(`${what} with a name of ${component.length} bytes: more than ${NAME_MAX}`);
  }
  if (components.length > depth) {
    throw new LayerError(`${what} of ${components.length} components: more than ${depth} (--max-depth)`);
  }
  const path = components.join("/");
  if (path.length >= PATH_MAX) throw new LayerError(`${what} of ${path.length} bytes: more than ${PATH_MAX - 1}`);
  return path as ByteName;
}
