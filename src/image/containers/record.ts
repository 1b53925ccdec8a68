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
 * | `hosts` | its `/etc/hosts` | at creation |
 * | `resolv.conf` | the host's resolver, where it has a network | at each start |
 * | `pasta.pid` | the process that connects its network | by that |
 * | `lock` | locked by who starts or removes it | |
 * | `monitor` | locked by its monitor while that lives | |
 *
 * `containers/lock` is held while a name is taken: milliseconds.
 */
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { exists, mkdirAll } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { fstat } from "../../sys/stat.ts";
import { lock } from "../store/lock.ts";
import { replaceFile, type Store } from "../store/store.ts";
import { writeAllTo } from "../store/write.ts";
import { type Named, NoSuchContainerError } from "./names.ts";

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

/** A state as it is on disk; what older versions have written has neither. */
export type KeptState = State & Partial<Pick<Container, "name" | "root">>;

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

/** Whether a container has not been removed. */
export function isThere(store: Store, id: string): boolean {
  return exists(containerPath(store, id));
}

/** Name and root are in both documents: when one is lost, the container can still be called by its name, and its process be found. */
export function writeState(store: Store, { id, name, root }: Container, state: State): void {
  const path = containerPath(store, id, "state.json");
  const text = textOf({ ...state, name, root });
  try {
    replaceFile(path, text);
  } catch (error) {
    if (!hasErrno(error, "ENOSPC", "EDQUOT")) throw error;
    overwrite(path, text);
  }
}

/** On a disk that is full: what is there has its block already, and how a process ended would be lost otherwise. */
function overwrite(path: string, text: string): void {
  using file = open(path, O.WRONLY | O.NOFOLLOW);
  // White space in the place of what was longer: it is JSON at any moment, but for a crash of the machine.
  writeAllTo(file.number, new TextEncoder().encode(text.padEnd(fstat(file.number).size)), path);
}

/** A document, as it is on disk. */
export function textOf(document: Container | KeptState): string {
  return `${JSON.stringify(document)}\n`;
}
