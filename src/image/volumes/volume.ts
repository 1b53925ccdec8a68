/**
 * Volumes with a name: a directory each below `volumes/` of a store.
 *
 * | | |
 * |---|---|
 * | `volume.json` | see {@link Volume} |
 * | `data/` | what containers see |
 * | `data.new/` | what an interrupted filling has left |
 *
 * They are made and removed with the names of containers locked, so that none is removed that a container is just about to use.
 */

import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { mkdirAll, readDirectory } from "../../sys/file.ts";
import { join, normalize } from "../../sys/path-names.ts";
import { findOpposites } from "../bundle/options.ts";
import { checkName, isName } from "../containers/names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { replaceFile, type Store } from "../store/store.ts";

export interface Volume {
  version: 1;
  name: string;
  /** RFC 3339. */
  created: string;
  labels: Record<string, string>;
  /** Whether it has got, once, what the image of its first container had there. */
  filled: boolean;
}

/** A volume where a container sees it. */
export interface NamedMount {
  name: string;
  destination: string;
  /** Those of a mount. */
  options: string[];
  /** Whether it gets the image's content, when it is new. */
  fill: boolean;
}

/**
 * Reads `NAME:DESTINATION[:OPTIONS]`.
 * @returns `null` for what begins with a path, which is a mount of the host's
 * @throws {Error}
 */
export function parseNamedMount(text: string): NamedMount | null {
  if (text.startsWith("/") || text.startsWith(".")) return null;
  const [name = "", destination = "", given = "", ...more] = text.split(":");
  const wrong = (what: string) =>
    new Error(`--volume ${JSON.stringify(text)}: ${what}: NAME:DESTINATION[:ro|rw|nocopy] is right`);
  if (!isName(name)) throw wrong(`${JSON.stringify(name)} is no name of a volume, and no absolute path`);
  if (more.length > 0) throw wrong("too many colons");
  if (!destination.startsWith("/")) throw wrong("the destination must be an absolute path");
  if (normalize(destination) === "/") throw wrong("the destination must not be /");
  const words = given.split(",").filter((word) => word !== "");
  const unknown = words.find((word) => !/^(ro|rw|nocopy|z|Z|noexec|nosuid|nodev)$/.test(word));
  if (unknown !== undefined) throw wrong(`the option ${JSON.stringify(unknown)} is not known`);
  const opposite = findOpposites(words);
  if (opposite !== null) throw wrong(`${opposite} contradict each other`);
  const options = words.filter((word) => !["nocopy", "z", "Z"].includes(word));
  return { name, destination, options, fill: !words.includes("nocopy") };
}

export function volumesPath(store: Store): string {
  const path = join(store.root, "volumes");
  mkdirAll(path, 0o700);
  return path;
}

export function volumePath(store: Store, name: string): string {
  return join(volumesPath(store), checkName("volume", name));
}

/** Where the contents of a volume are. */
export function volumeData(store: Store, name: string): string {
  return join(volumePath(store, name), "data");
}

/** All volumes, by name. */
export function listVolumes(store: Store): Volume[] {
  return readDirectory(volumesPath(store))
    .flatMap(({ name }) => (isName(name) ? (readVolume(store, name) ?? []) : []))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** @returns `null` for one that is not there */
export function readVolume(store: Store, name: string): Volume | null {
  const path = join(volumePath(store, name), "volume.json");
  try {
    const volume = JSON.parse(readFileSync(path, "utf8")) as Volume;
    if (volume.version !== 1 || volume.name !== name)
      throw new Error(`${path}: is not what this version of tsrunc writes`);
    return volume;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}

export function writeVolume(store: Store, volume: Volume): void {
  replaceFile(join(volumePath(store, volume.name), "volume.json"), `${JSON.stringify(volume)}\n`);
}

/** Makes a volume, if it is not there. The names of containers must be locked. @returns whether it was made */
export function ensureVolume(store: Store, name: string, labels: Record<string, string> = {}): boolean {
  if (readVolume(store, name) !== null) return false;
  const directory = volumePath(store, name);
  // What a kill has left of its making.
  removeTree(directory);
  const temporary = join(volumesPath(store), `.${name}.new`);
  removeTree(temporary);
  mkdirSync(join(temporary, "data"), { recursive: true, mode: 0o700 });
  const volume: Volume = { version: 1, name, created: new Date().toISOString(), labels, filled: false };
  replaceFile(join(temporary, "volume.json"), `${JSON.stringify(volume)}\n`);
  renameSync(temporary, directory);
  return true;
}

/** Removes a volume. The names of containers must be locked, and none may use it. */
export function dropVolume(store: Store, name: string): void {
  const gone = join(volumesPath(store), `.${name}.gone`);
  removeTree(gone);
  renameSync(volumePath(store, name), gone);
  removeTree(gone);
}
