/** What a container has of the host, looked up anew at each start: it may have gone since the container was made. */
import type { Spec } from "../../config/types.ts";
import { hasErrno } from "../../sys/error.ts";
import { exists } from "../../sys/file.ts";
import { stat } from "../../sys/stat.ts";
import type { Store } from "../store/store.ts";
import { readVolume, volumeData, volumePath, volumesPath } from "../volumes/volume.ts";
import { DamagedContainerError } from "./damaged.ts";
import { findPasta } from "./pasta.ts";
import { type Container, containerPath } from "./record.ts";
import { RESOLVER_FILE, resolverFile } from "./resolver.ts";

/**
 * Looks whether all is there that its config.json mounts, and has the container ask for names whom the host asks now.
 * @throws {Error} for what is not there, or not to be seen
 * @throws {DamagedContainerError} for what is the container's own
 */
export function checkSources(store: Store, container: Container, { mounts = [] }: Spec): void {
  const { id, name } = container;
  const fails = (why: string) => new Error(`the container ${name} cannot be started: ${why}`);
  const remove = `"tsrunc container rm ${name}" removes it`;
  const own = `${containerPath(store, id)}/`;
  if (mounts.some(({ source }) => source === `${own}${RESOLVER_FILE}`))
    resolverFile(own, container.network === "host" ? "host" : "pasta");
  for (const { type, source, destination } of mounts) {
    if (type !== "bind" || source === undefined) continue;
    const why = whyUnseen(source);
    if (why === null) continue;
    if (source.startsWith(own))
      throw new DamagedContainerError({ ...container, why: `${source}: ${why}` }, { force: false });
    const volume = volumeOf(store, source);
    throw fails(
      volume === null
        ? `--volume: ${source}, which is to be mounted on ${destination}, ${why}: put it back, or make the container anew (${remove})`
        : `its volume ${volume}, which is to be mounted on ${destination}, ${lossOf(store, volume, why)}, or make the container anew (${remove})`,
    );
  }
  if (container.network === "pasta") {
    try {
      findPasta();
    } catch (error) {
      throw fails((error as Error).message);
    }
  }
}

/** @returns `null` for what is there */
function whyUnseen(path: string): string | null {
  try {
    stat(path);
    return null;
  } catch (error) {
    return hasErrno(error, "ENOENT", "ENOTDIR")
      ? "does not exist any more"
      : `cannot be seen: ${(error as Error).message}`;
  }
}

/** The volume whose contents a path is. */
function volumeOf(store: Store, path: string): string | null {
  const below = `${volumesPath(store)}/`;
  return path.startsWith(below) ? (path.slice(below.length).split("/")[0] as string) : null;
}

/** What has become of a volume, and what to do. */
function lossOf(store: Store, volume: string, why: string): string {
  const data = volumeData(store, volume);
  if (exists(data)) return `${why}: put it back`;
  return exists(volumePath(store, volume)) && readVolume(store, volume) !== null
    ? `has lost its contents: put ${data} back`
    : `does not exist any more: "tsrunc volume create ${volume}" makes it, empty`;
}
