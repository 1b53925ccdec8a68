/**
 * The containers on disk: a directory each below `--root`.
 *
 * `state.json` is replaced whole. `config.json` is the configuration as it was at `create`, for a later change
 * of the bundle must not reach the container. `exec.fifo` is there while `start` is waited for.
 */

import type { CgroupLocation } from "../cgroup/plan.ts";
import { parseKept, textToKeep } from "../config/exact-json.ts";
import { isContainer } from "../config/generated/container.js";
import { checkKept } from "../config/load.ts";
import { check } from "../config/schema.ts";
import type { Spec } from "../config/types.ts";
import { ERRNO } from "../sys/errno.ts";
import { hasErrno, orNull, check as succeeded } from "../sys/error.ts";
import { AT, AT_FDCWD, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists, readDirectory, readTextOf, removeAll, replace, writeFile } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import { FILE_TYPE, findLinkStat, fstat, isType } from "../sys/stat.ts";
import { assertTrusted } from "./trust.ts";

/** What is known of a container: the contents of `state.json`. */
export interface Container {
  id: string;
  ociVersion: string;
  bundle: string;
  rootfs: string;
  /** RFC 3339, UTC. */
  created: string;
  /** Uid of the user who made it. */
  owner: number;
  annotations: Record<string, string>;
  /** The init; `null` until it is forked. */
  init: ProcessIdentity | null;
  /** False until all is set up: a container without it is `creating`, or its creator died. */
  complete: boolean;
  cgroup: CgroupLocation;
  /** Path of the resctrl group that was made for the container, if one was. */
  resctrl?: string;
}

/** A process named for good: a pid alone may be somebody else's by now. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot; field 22 of `/proc/<pid>/stat`. */
  startTime: number;
}

const STATE = "state.json";
const CONFIG = "config.json";
export const START_FIFO = "exec.fifo";

/** The error of an id that names no container; engines know it by its words. */
export class NoSuchContainerError extends Error {
  constructor(readonly id: string) {
    super(`container does not exist: ${id}`);
  }
}

const ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
/** The id that was found to be one last: it is asked for again and again. */
let goodId = "";

/**
 * Refuses an id that is no plain name: it becomes a directory.
 * @throws {Error} `invalid container ID format`
 */
export function checkId(id: string): void {
  if (id !== "" && id === goodId) return;
  if (!isId(id)) {
    const wrong = [...id].find((character) => !ID_CHARACTERS.includes(character));
    const why = wrong === undefined ? "" : `invalid character ${JSON.stringify(wrong)}: `;
    throw new Error(
      `invalid container ID format: ${JSON.stringify(id)}: ${why}use letters, digits, and the characters _ + - .`,
    );
  }
  goodId = id;
}

/** Whether a name is one that a container can have. What tsrunc keeps beside the containers, it calls otherwise. */
function isId(name: string): boolean {
  if (name.length === 0 || name.length > 1024 || name === "." || name === "..") return false;
  for (let at = 0; at < name.length; at++) if (!ID_CHARACTERS.includes(name[at] as string)) return false;
  return true;
}

/** The directory of a container's state. */
export function containerDirectory(root: string, id: string): string {
  checkId(id);
  return join(root, id);
}

/** Writes `state.json`. */
export function saveContainer(root: string, container: Container): void {
  prepareState(root, container)();
}

/**
 * Writes `state.json` under a temporary name.
 * @returns what puts it in its place, so that others see it
 */
export function prepareState(root: string, container: Container): () => void {
  return writeBeside(join(containerDirectory(root, container.id), STATE), container);
}

function writeBeside(path: string, contents: object): () => void {
  writeFile(`${path}.new`, textToKeep(contents), { mode: 0o600 });
  return () => replace(path, `${path}.new`);
}

/** Keeps the configuration that the container is made from: whole or not at all. */
export function saveConfig(root: string, id: string, spec: Spec): void {
  writeBeside(join(containerDirectory(root, id), CONFIG), spec)();
}

/** The configuration that the container was made from. @throws {SyscallError} @throws {DamagedError} */
export function loadSavedConfig(root: string, id: string): Spec {
  return readKept(join(containerDirectory(root, id), CONFIG), (document): asserts document is Spec =>
    checkKept(document, CONFIG),
  );
}

/** The same; an empty one when the container's creator died before it kept any: it had run no hooks, and started nothing. */
export function loadKeptConfig(root: string, { id, ociVersion }: Container): Spec {
  return orNull(() => loadSavedConfig(root, id)) ?? { ociVersion };
}

/**
 * Reads a container's state.
 * @throws {NoSuchContainerError}
 */
export function loadContainer(root: string, id: string): Container {
  const container = findContainer(root, id);
  if (container === null) throw new NoSuchContainerError(id);
  return container;
}

/**
 * Reads a container's state; `null` when there is none, or its creator died before it wrote any.
 * @throws {DamagedError} when it is not what was written, or not there any more
 */
export function findContainer(root: string, id: string): Container | null {
  assertTrusted(root);
  const directory = containerDirectory(root, id);
  const there = findLinkStat(directory);
  if (there !== null && isType(there, "symlink")) return null;
  assertTrusted(directory, there);
  const path = join(directory, STATE);
  const isState = (document: unknown): asserts document is Container => checkState(document, id);
  const found = orNull(() => readKept(path, isState));
  // Both are made after the state is written.
  if (found === null && (exists(join(directory, CONFIG)) || exists(join(directory, START_FIFO)))) {
    throw new DamagedError(`${path}: is missing`);
  }
  return found;
}

function checkState(document: unknown, id: string): asserts document is Container {
  check(isContainer, document, STATE);
  if (document.id !== id) throw new Error(`it is of a container ${JSON.stringify(document.id)}`);
}

/** What was kept of a container cannot be read. */
export class DamagedError extends Error {}

function readKept<T>(path: string, validate: (document: unknown) => asserts document is T): T {
  // What has been put in its place must not hold us, nor `list`, as a FIFO would.
  using file = open(path, O.RDONLY | O.NONBLOCK | O.NOCTTY);
  if (!isType(fstat(file.number), "regular")) throw new DamagedError(`${path}: is damaged: it is no file`);
  const text = readTextOf(file, path);
  try {
    const document: unknown = parseKept(text);
    validate(document);
    return document;
  } catch (error) {
    throw new DamagedError(`${path}: is damaged: ${(error as Error).message}`);
  }
}

/** The ids of all containers below the root. */
export function containerIds(root: string): string[] {
  assertTrusted(root);
  try {
    return readDirectory(root)
      .filter((entry) => entry.isDirectory && isId(entry.name))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Removes a container's directory, and all that it holds. @throws {SyscallError} */
export function removeDirectory(root: string, id: string): void {
  const directory = containerDirectory(root, id);
  // Mostly these are all, and the directory need not be read. The state goes last: who looks meanwhile must not take it for lost.
  for (const name of [CONFIG, START_FIFO, STATE]) removeAll(join(directory, name));
  if (syscall("unlinkat", AT_FDCWD, directory, AT.REMOVEDIR) < 0) removeAll(directory);
}

/**
 * Removes the directory of a container whose creator died before it wrote a state. One that has more in it is none: where `--root` names a wrong
 * place it is somebody's data.
 * @throws {Error} that says so
 */
export function removeUnwritten(root: string, id: string): void {
  const directory = containerDirectory(root, id);
  syscall("unlinkat", AT_FDCWD, join(directory, `${STATE}.new`), 0);
  const result = syscall("unlinkat", AT_FDCWD, directory, AT.REMOVEDIR);
  if (result === -ERRNO.ENOTEMPTY)
    throw new Error(
      `container does not exist: ${id}: ${directory} has no ${STATE}, and holds something else, which is left`,
    );
  if (result !== -ERRNO.ENOENT) succeeded(result, () => `rmdir ${directory}`);
}

/** Makes the fifo on which the init waits for `start`. @see mkfifo(3) */
export function makeStartFifo(root: string, id: string): void {
  const path = join(containerDirectory(root, id), START_FIFO);
  succeeded(syscall("mknodat", AT_FDCWD, path, FILE_TYPE.fifo | 0o600, 0), () => `mkfifo ${path}`);
}
