/**
 * Containers on disk: a directory each below `containers/` of a store, named by its id.
 *
 * | | what | written |
 * |---|---|---|
 * | `container.json` | what it is: see {@link Container} | once, before anything is made |
 * | `state.json` | what has become of it: see {@link State} | whole, at each change |
 * | `bundle/` | rootfs, config.json and its unnamed volumes, as `image bundle` makes them | at creation |
 * | `stdout`, `stderr` | fifos: what its process writes | at creation |
 * | `log`, `log.1` | what has been read from them, and before that | by its monitor |
 * | `pasta.pid` | the process that connects its network | by that |
 * | `lock` | locked by who starts or removes it | |
 * | `monitor` | locked by its monitor while that lives | |
 *
 * `containers/lock` is held while a name is taken: milliseconds.
 */
import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { mkdirAll, readDirectory } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { lock } from "../store/lock.ts";
import { replaceFile, type Store, syncDirectory } from "../store/store.ts";
import { findNamed, isId, type Named, NoSuchContainerError } from "./names.ts";

/** Where a container's network comes from. */
export type NetworkMode = "none" | "host" | "pasta";

/** A container, as it was made. */
export interface Container extends Named {
  version: 1;
  /** As the image was called, and the digest of its manifest. */
  image: string;
  digest: string;
  /** RFC 3339. */
  created: string;
  /** The runtime's `--root`. */
  root: string;
  /** What is executed, for listings. */
  args: string[];
  /** What `stop` sends, a number. */
  stopSignal: number;
  /** Seconds until `stop` kills. */
  stopTimeout: number;
  /** Whether it is removed when it has ended. */
  autoRemove: boolean;
  /** Whether its standard input is the caller's. */
  interactive: boolean;
  tty: boolean;
  network: NetworkMode;
  /** As pasta takes them. */
  publish: Published[];
  /** Named volumes that it uses. */
  volumes: { name: string; destination: string }[];
  /** Bytes that its log takes at most. */
  logSize: number;
}

/** A port of the host's that leads to one of the container's. */
export interface Published {
  protocol: "tcp" | "udp";
  /** An address of the host's; `null` for all. */
  address: string | null;
  hostPort: number;
  containerPort: number;
}

/** A process named for good. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot. */
  startTime: number;
  bootId: string;
}

/** What has become of a container. */
export type State =
  | { phase: "created" }
  | { phase: "starting"; bootId: string }
  | { phase: "running"; process: ProcessIdentity; startedAt: string }
  | {
      phase: "exited";
      /** RFC 3339; `null` where nobody saw it start. */
      startedAt: string | null;
      /** `null` where nobody saw it end. */
      finishedAt: string | null;
      /** 128+N when signal N ended it; `null` where that is lost. */
      exitCode: number | null;
      /** Why it could not be started. */
      error: string | null;
    };

export function containersPath(store: Store): string {
  const path = join(store.root, "containers");
  mkdirAll(path, 0o700);
  return path;
}

export function containerPath(store: Store, id: string, name?: ContainerFile): string {
  const directory = join(containersPath(store), id);
  return name === undefined ? directory : join(directory, name);
}

export type ContainerFile =
  | "container.json"
  | "state.json"
  | "bundle"
  | "stdout"
  | "stderr"
  | "log"
  | "log.1"
  | "lock"
  | "monitor";

/** Locks the names of all containers. */
export function lockNames(store: Store): Promise<Fd> {
  return lock(join(containersPath(store), "lock"), "exclusive");
}

/**
 * Locks one container against others who would start or remove it.
 * @throws {NoSuchContainerError} when it was removed meanwhile
 */
export async function lockContainer(store: Store, { id, name }: Named): Promise<Fd> {
  try {
    return await lock(containerPath(store, id, "lock"), "exclusive");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) throw new NoSuchContainerError(`no such container: ${name} has been removed`);
    throw error;
  }
}

/**
 * Writes a container down, before anything of it is made.
 * @param before what must be there before it is, done with the names locked
 * @throws {Error} when another one has its name
 */
export async function addContainer(store: Store, container: Container, before: () => void = () => {}): Promise<void> {
  using _ = await lockNames(store);
  clearInterrupted(store);
  const taken = listContainers(store).find(({ name }) => name === container.name);
  if (taken !== undefined) {
    throw new Error(
      `the name ${container.name} belongs to the container ${taken.id.slice(0, 12)}: "tsrunc container rm ${container.name}" removes that`,
    );
  }
  before();
  // It is there whole, or not at all.
  const temporary = join(containersPath(store), `${container.id}.new`);
  mkdirSync(temporary, { mode: 0o700 });
  try {
    replaceFile(join(temporary, "container.json"), `${JSON.stringify(container)}\n`);
    replaceFile(join(temporary, "state.json"), `${JSON.stringify({ phase: "created" })}\n`);
    renameSync(temporary, containerPath(store, container.id));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  syncDirectory(containersPath(store));
}

/** Takes a container from the list, and then away. Its bundle must be gone. */
export async function dropContainer(store: Store, { id }: Named): Promise<void> {
  using _ = await lockNames(store);
  const gone = join(containersPath(store), `${id}.gone`);
  renameSync(containerPath(store, id), gone);
  removeTree(gone);
}

/** Removes what a kill has left of containers that were being written down or taken away: they are in no list. */
export async function removeInterrupted(store: Store): Promise<void> {
  using _ = await lockNames(store);
  clearInterrupted(store);
}

/** With the names locked, so that nobody is at work on one. */
function clearInterrupted(store: Store): void {
  for (const { name } of readDirectory(containersPath(store))) {
    if (/^[0-9a-f]{64}\.(new|gone)$/.test(name)) removeTree(join(containersPath(store), name));
  }
}

/** All containers, in the order of their making. */
export function listContainers(store: Store): Container[] {
  return readDirectory(containersPath(store))
    .filter(({ name }) => isId(name))
    .flatMap(({ name }) => readContainer(store, name) ?? [])
    .sort((one, other) => (one.created < other.created ? -1 : one.created > other.created ? 1 : 0));
}

/** @returns `null` for one that is not there any more */
export function readContainer(store: Store, id: string): Container | null {
  const path = containerPath(store, id, "container.json");
  const container = readJson(path) as Container | null;
  if (container !== null && (container.version !== 1 || container.id !== id || typeof container.name !== "string")) {
    throw new Error(`${path}: is not what this version of tsrunc writes`);
  }
  return container;
}

/** @throws {NoSuchContainerError} @see findNamed */
export function findContainer(store: Store, text: string): Container {
  return findNamed(listContainers(store), text);
}

export function readState(store: Store, id: string): State {
  return (readJson(containerPath(store, id, "state.json")) as State | null) ?? { phase: "created" };
}

export function writeState(store: Store, id: string, state: State): void {
  replaceFile(containerPath(store, id, "state.json"), `${JSON.stringify(state)}\n`);
}

function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`);
  }
}
