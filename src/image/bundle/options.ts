/** What a person may say about a bundle, beyond what the image says. */
import type { Mount } from "../../config/types.ts";
import { hasErrno } from "../../sys/error.ts";
import { join, normalize } from "../../sys/path-names.ts";
import { stat } from "../../sys/stat.ts";
import { currentDirectory } from "../../sys/user.ts";
import type { LayerLimits } from "../layer/limits.ts";

export interface BundleOptions {
  /** `overlay` shares the layers, `copy` makes one plain tree. */
  form: "overlay" | "copy";
  /** For an ordinary user: root in the container is that user. */
  rootless: boolean;
  /** In the place of the image's `Cmd`; `null` leaves that. */
  args: readonly string[] | null;
  /** In the place of the image's `Entrypoint`, and then of `Cmd`, too; `null` leaves both, an empty list is none. */
  entrypoint: readonly string[] | null;
  /** `NAME=value`, added to the image's or in their place. */
  env: readonly string[];
  /** In the place of the image's `User`; see `user.ts`. */
  user: string | null;
  cwd: string | null;
  hostname: string | null;
  tty: boolean;
  /** As {@link parseVolume} makes them. */
  mounts: readonly Mount[];
  /** As {@link parseTmpfs} makes them. */
  tmpfs: readonly Mount[];
  /** Paths of volumes that nobody names, as an image's own. */
  unnamedVolumes?: readonly string[];
  readOnly: boolean;
  /** See `capabilities.ts`. */
  capabilities: readonly string[];
  /** Bytes of `/dev/shm`; `null` for 64 MiB. */
  shmSize: number | null;
  /** Bytes. */
  memory: number | null;
  /** Processors, maybe a fraction. */
  cpus: number | null;
  pids: number | null;
  network: "host" | "none";
  annotations: Readonly<Record<string, string>>;
  limits: LayerLimits;
}

/**
 * Reads `source:destination[:options]`, as of `docker run --volume`. A source that begins with a dot is counted from the working directory. Options are those of config.json's mounts; a bind is recursive.
 * @throws {Error} for paths that are not absolute
 */
export function parseVolume(text: string): Mount {
  const [source = "", destination = "", options = "", ...more] = text.split(":");
  const wrong = (what: string) =>
    new Error(`--volume ${JSON.stringify(text)}: ${what}: SOURCE:DESTINATION[:OPTIONS] is right`);
  if (more.length > 0) throw wrong("too many colons");
  if (destination === "") throw wrong("no destination");
  checkDestination(destination, wrong);
  if (!/^(\/|\.\.?(\/|$))/.test(source)) throw wrong("the source must be a path that begins with / or ./");
  const words = options.split(",").filter((option) => option !== "");
  // What Docker knows beside mount options: labels of SELinux, and whether a volume gets the image's files.
  const passed = words.filter((option) => !["z", "Z", "nocopy", "consistent", "cached", "delegated"].includes(option));
  const unknown = passed.find(
    (option) =>
      !/^(ro|rw|r?(private|shared|slave|unbindable)|(no)?(exec|suid|dev|atime|diratime)|relatime|bind|rbind|r?(ro|rw))$/.test(
        option,
      ),
  );
  if (unknown !== undefined) throw wrong(`the option ${JSON.stringify(unknown)} is not known`);
  const opposite = findOpposites(passed);
  if (opposite !== null) throw wrong(`${opposite} contradict each other`);
  const bind = passed.includes("bind") || passed.includes("rbind") ? [] : ["rbind"];
  const path = source.startsWith("/") ? source : join(currentDirectory(), source);
  return { destination, type: "bind", source: path, options: [...bind, ...passed] };
}

/**
 * Reads `destination[:options]`, as of `docker run --tmpfs`: without options it is `noexec`, `nosuid` and `nodev`, and so it is where they do not say the opposite.
 * @throws {Error} for a path that is not absolute, and for options that a tmpfs does not have
 */
export function parseTmpfs(text: string): Mount {
  const [destination = "", options = "", ...more] = text.split(":");
  const wrong = (what: string) => new Error(`--tmpfs ${JSON.stringify(text)}: ${what}: DESTINATION[:OPTIONS] is right`);
  if (more.length > 0) throw wrong("too many colons");
  checkDestination(destination, wrong);
  const given = options.split(",").filter((option) => option !== "");
  const unknown = given.find(
    (option) =>
      !/^(ro|rw|(no)?(exec|suid|dev|atime|diratime)|relatime|(size|nr_blocks)=\d+[kmg%]?|nr_inodes=\d+[kmg]?|mode=[0-7]{1,4}|[ug]id=\d+)$/i.test(
        option,
      ),
  );
  if (unknown !== undefined) throw wrong(`the option ${JSON.stringify(unknown)} is not known`);
  const opposite = findOpposites(given);
  if (opposite !== null) throw wrong(`${opposite} contradict each other`);
  const defaults = ["exec", "suid", "dev"].filter((name) => !given.includes(name)).map((name) => `no${name}`);
  return { destination, type: "tmpfs", source: "tmpfs", options: [...new Set([...defaults, ...given])] };
}

/** @throws {Error} what `wrong` makes of it, for a place where nothing can be mounted */
export function checkDestination(destination: string, wrong: (what: string) => Error): void {
  if (!destination.startsWith("/")) throw wrong("the destination must be an absolute path");
  if (placeOf(destination) === "/") throw wrong("the destination must not be /");
}

/** A destination, written in one way only. */
export function placeOf(destination: string): string {
  return normalize(`/${destination}/.`);
}

/** Two options of a mount of which one takes back the other, for a message; `null` where there are none. */
export function findOpposites(options: readonly string[]): string | null {
  const opposites = [["ro", "rw"], ...["exec", "suid", "dev", "atime", "diratime"].map((name) => [name, `no${name}`])];
  return opposites.find((pair) => pair.every((one) => options.includes(one)))?.join(" and ") ?? null;
}

/** @throws {Error} when two volumes, or tmpfs, have one destination, however it is written */
export function refuseSharedDestinations(mounts: readonly { destination: string }[]): void {
  const seen = new Set<string>();
  for (const { destination } of mounts) {
    const place = placeOf(destination);
    if (seen.has(place)) throw new Error(`--volume: two volumes have the destination ${destination}`);
    seen.add(place);
  }
}

/** @throws {Error} for what is to be mounted of the host and is not there, or not to be seen */
export function refuseMissingSources(mounts: readonly Mount[]): void {
  for (const { source = "", destination } of mounts) {
    try {
      stat(source);
    } catch (error) {
      const { message } = error as Error;
      const why = hasErrno(error, "ENOENT", "ENOTDIR")
        ? "does not exist (a volume with a name in the place of a path is made)"
        : `cannot be seen: ${message}`;
      throw new Error(`--volume: ${source}, which is to be mounted on ${destination}, ${why}`);
    }
  }
}

/**
 * Reads an amount of memory: bytes, or with a unit of `b`, `k`, `m`, `g`, as of `docker run --memory`.
 * @throws {Error} that names the option
 */
export function parseMemory(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([bkmg]?)b?$/i.exec(text);
  const unit = { "": 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match?.[2] ?? "").toLowerCase()] ?? 1;
  const bytes = Math.floor(Number(match?.[1]) * unit);
  if (match === null || !Number.isSafeInteger(bytes) || bytes === 0) {
    throw new Error(
      `${option} ${JSON.stringify(text)}: no amount of memory: a number with b, k, m or g is right, such as 512m`,
    );
  }
  return bytes;
}
