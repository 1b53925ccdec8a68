/** What a person does with volumes. */

import { randomHex } from "../../sys/random.ts";
import { listContainers, lockNames } from "../containers/record.ts";
import type { Store } from "../store/store.ts";
import { dropVolume, ensureVolume, listVolumes, readVolume, type Volume, volumeData } from "./volume.ts";

/** A volume, as listings show it. */
export interface ListedVolume {
  name: string;
  created: string;
  labels: Record<string, string>;
  /** Where its contents are on the host. */
  mountpoint: string;
  /** Names of the containers that it belongs to, also of those that do not run. */
  usedBy: string[];
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
  return listVolumes(store).map((volume) => describe(store, volume, users));
}

/** @throws {Error} for one that is not there */
export function inspectVolume(store: Store, name: string): ListedVolume {
  return describe(store, findVolume(store, name), usersOf(store));
}

/**
 * Removes a volume for good.
 * @throws {Error} for one that is not there, and for one that a container uses, also one that does not run
 */
export async function removeVolume(store: Store, name: string): Promise<void> {
  using _ = await lockNames(store);
  findVolume(store, name);
  const users = usersOf(store).get(name) ?? [];
  if (users.length > 0) throw new Error(`the volume ${name} belongs to ${users.join(", ")}: remove that first`);
  dropVolume(store, name);
}

/** Removes the volumes that no container uses. @returns their names */
export async function pruneVolumes(store: Store, { dryRun }: { dryRun: boolean }): Promise<string[]> {
  using _ = await lockNames(store);
  const users = usersOf(store);
  const unused = listVolumes(store).flatMap(({ name }) => (users.has(name) ? [] : [name]));
  if (!dryRun) for (const name of unused) dropVolume(store, name);
  return unused;
}

function findVolume(store: Store, name: string): Volume {
  const volume = readVolume(store, name);
  if (volume !== null) return volume;
  throw new Error(`no such volume: ${name} ("tsrunc volume list" shows those there are)`);
}

function usersOf(store: Store): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const container of listContainers(store)) {
    for (const { name } of container.volumes) users.set(name, [...(users.get(name) ?? []), container.name]);
  }
  return users;
}

function describe(store: Store, { name, created, labels }: Volume, users: Map<string, string[]>): ListedVolume {
  return { name, created, labels, mountpoint: volumeData(store, name), usedBy: users.get(name) ?? [] };
}
