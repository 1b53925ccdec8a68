/** What a person does with volumes. */

import { randomHex } from "../../sys/random.ts";
import { mountsOfBundle } from "../bundle/marker.ts";
import { type DamagedContainer, DamagedContainerError, isDamaged } from "../containers/damaged.ts";
import { listAll } from "../containers/find.ts";
import { type Container, containerPath, lockNames } from "../containers/record.ts";
import type { Store } from "../store/store.ts";
import { dropVolume, ensureVolume, readVolumeFile, volumeData, volumeNames, volumesPath } from "./volume.ts";

/** A volume, as listings show it. */
export interface ListedVolume {
  name: string;
  /** RFC 3339; `null` for one that is damaged. */
  created: string | null;
  labels: Record<string, string>;
  /** Where its contents are on the host. */
  mountpoint: string;
  /** Names of the containers that it belongs to, also of those that do not run. */
  usedBy: string[];
  /** Why it cannot be used. */
  error: string | null;
}

/** Makes a volume; one that is there is left as it is. @param name default: a new one @returns its name */
export async function createVolume(
  store: Store,
  name = `volume-${randomHex(6)}`,
  labels: Record<string, string> = {},
): Promise<string> {
  using _ = await lockNames(store);
  ensureVolume(store, name, labels);
  return name;
}

export function describeVolumes(store: Store): ListedVolume[] {
  const users = usersOf(store);
  return volumeNames(store).flatMap((name) => describe(store, name, users) ?? []);
}

/** @throws {Error} for one that is not there */
export function inspectVolume(store: Store, name: string): ListedVolume {
  return describe(store, name, usersOf(store)) ?? noSuchVolume(name);
}

/**
 * Removes a volume for good.
 * @throws {Error} for one that is not there, and for one that a container uses, also one that does not run
 */
export async function removeVolume(store: Store, name: string): Promise<void> {
  using _ = await lockNames(store);
  if (readVolumeFile(store, name).is === "missing") noSuchVolume(name);
  refuseUnknownUse(store);
  const users = usersOf(store).get(name) ?? [];
  if (users.length > 0) throw new Error(`the volume ${name} belongs to ${users.join(", ")}: remove that first`);
  dropVolume(store, name);
}

/** Removes the volumes that no container uses. @returns their names */
export async function pruneVolumes(store: Store, { dryRun }: { dryRun: boolean }): Promise<string[]> {
  using _ = await lockNames(store);
  refuseUnknownUse(store);
  const users = usersOf(store);
  // Of one that is damaged nobody knows what it is for: it is removed by name alone.
  const isSound = (name: string) => readVolumeFile(store, name).is === "sound";
  const unused = volumeNames(store).filter((name) => !users.has(name) && isSound(name));
  if (!dryRun) for (const name of unused) dropVolume(store, name);
  return unused;
}

function noSuchVolume(name: string): never {
  throw new Error(`no such volume: ${name} ("tsrunc volume list" shows those there are)`);
}

/** Volumes that a container uses; `null` where that is lost. */
function volumesOf(store: Store, container: Container | DamagedContainer): string[] | null {
  const known = isDamaged(container) ? container.container : container;
  if (known !== null) return known.volumes.map(({ name }) => name);
  const sources = mountsOfBundle(containerPath(store, container.id, "bundle"));
  if (sources === null) return null;
  const below = `${volumesPath(store)}/`;
  return sources
    .filter((path) => path.startsWith(below))
    .map((path) => path.slice(below.length).split("/")[0] as string);
}

/** A volume holds what nobody else has: it is not removed while a container may use it. @throws {DamagedContainerError} */
function refuseUnknownUse(store: Store): void {
  const unknown = listAll(store)
    .filter(isDamaged)
    .find((container) => volumesOf(store, container) === null);
  if (unknown === undefined) return;
  throw new DamagedContainerError({ ...unknown, why: `${unknown.why}, so it is not known which volumes it has` });
}

function usersOf(store: Store): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const container of listAll(store)) {
    for (const name of volumesOf(store, container) ?? []) users.set(name, [...(users.get(name) ?? []), container.name]);
  }
  return users;
}

/** @returns `null` for one that is not there */
function describe(store: Store, name: string, users: Map<string, string[]>): ListedVolume | null {
  const kept = readVolumeFile(store, name);
  if (kept.is === "missing") return null;
  const { created, labels } = kept.is === "sound" ? kept.document : { created: null, labels: {} };
  const error = kept.is === "damaged" ? kept.why : null;
  return { name, created, labels, mountpoint: volumeData(store, name), usedBy: users.get(name) ?? [], error };
}
