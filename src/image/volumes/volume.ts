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

import { mkdirSync, renameSync } from "node:fs";
import { isNamedVolume } from "../../config/generated/volume.js";
import { mkdirAll, readDirectory } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { checkDestination, findOpposites } from "../bundle/options.ts";
import { type Kept, readKept } from "../containers/kept.ts";
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
  if (!isName(name))
    throw wrong(`${JSON.stringify(name)} is no name of a volume, and no path that begins with / or ./`);
  if (more.length > 0) throw wrong("too many colons");
  checkDestination(destination, wrong);
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

/** The names of all volumes, those that are damaged too, in order. */
export function volumeNames(store: Store): string[] {
  return readDirectory(volumesPath(store))
    .flatMap(({ name }) => (isName(name) && readVolumeFile(store, name).is !== "missing" ? name : []))
    .sort();
}

/** @returns `null` for one that is not there @throws {DamagedVolumeError} */
export function readVolume(store: Store, name: string): Volume | null {
  const kept = readVolumeFile(store, name);
  if (kept.is === "damaged") throw new DamagedVolumeError(name, kept.why);
  return kept.is === "sound" ? kept.document : null;
}

/** What is written of a volume, or why it cannot be read: its contents are there all the same. */
export function readVolumeFile(store: Store, name: string): Kept<Volume> {
  const path = join(volumePath(store, name), "volume.json");
  const kept = readKept(path, isNamedVolume);
  if (kept.is !== "sound" || kept.document.name === name) return kept;
  return { is: "damaged", why: `${path}: is of another volume, ${kept.document.name}`, rest: null };
}

export class DamagedVolumeError extends Error {
  override readonly name = "DamagedVolumeError";

  constructor(volume: string, why: string) {
    super(`the volume ${volume} is damaged: ${why} ("tsrunc volume rm ${volume}" removes it, with all that is in it)`);
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
