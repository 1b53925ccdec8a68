/** Making containers of images. */

import { writeFileSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { unlinkIfThere } from "../../sys/file.ts";
import { openRoot } from "../../sys/path.ts";
import { join } from "../../sys/path-names.ts";
import { parseSignal } from "../../sys/signal.ts";
import { makeBundle } from "../bundle/bundle.ts";
import { networkMounts, writeNetworkFiles } from "../bundle/network-files.ts";
import type { BundleOptions } from "../bundle/options.ts";
import { formatReference, parseReference } from "../reference/reference.ts";
import type { UnpackProgress } from "../snapshot/unpack.ts";
import { Lease } from "../store/lease.ts";
import { type ResolveOptions, resolveImage } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";
import { fillVolume } from "../volumes/fill.ts";
import { ensureVolume, type NamedMount, volumeData } from "../volumes/volume.ts";
import { CONTAINER_ANNOTATION } from "./damaged-in-runtime.ts";
import { addContainer } from "./enter.ts";
import { makeFifos } from "./monitor.ts";
import { checkName, newId, newName } from "./names.ts";
import { findPasta } from "./pasta.ts";
import { type Container, containerPath, lockContainer, type Published } from "./record.ts";
import { removeLocked } from "./remove.ts";

/** What a container is to be. */
export interface CreateRequest {
  store: Store;
  /** See `resolveImage`. */
  reference: string;
  platform?: ResolveOptions["platform"];
  options: BundleOptions;
  progress?: UnpackProgress;
  name: string | null;
  /** The runtime's `--root`. */
  root: string;
  autoRemove: boolean;
  interactive: boolean;
  network: Container["network"];
  publish: readonly Published[];
  namedVolumes: readonly NamedMount[];
  /** `null`: the image's. */
  stopSignal: string | null;
  stopTimeout: number | null;
  /** Bytes. */
  logSize: number;
  /** Gets the container's id, and is not there yet; `null` for none. */
  idFile: string | null;
}

const SIGTERM = 15;

/**
 * Makes a container, with all that a start needs.
 * @throws {Error} for a name that is taken, and for what is wrong with image or options; nothing is left then
 */
export async function createContainer(request: CreateRequest): Promise<Container> {
  const { store, reference, options, namedVolumes } = request;
  const name = request.name === null ? newName(reference) : checkName("container", request.name);
  if (request.network === "pasta") findPasta();
  using lease = await Lease.take(store);
  const platform = request.platform ? { platform: request.platform } : {};
  const image = await resolveImage(store, reference, { lease, ...platform });
  const { config } = image.config;
  const container: Container = {
    version: 1,
    id: newId(),
    name,
    image: image.name ?? fullName(reference),
    digest: image.descriptor.digest,
    created: new Date().toISOString(),
    root: request.root,
    args: [
      ...(options.entrypoint ?? config?.Entrypoint ?? []),
      ...(options.args ?? (options.entrypoint === null ? (config?.Cmd ?? []) : [])),
    ],
    stopSignal: toSignal(request.stopSignal ?? config?.StopSignal ?? null, request.stopSignal !== null),
    stopTimeout: request.stopTimeout ?? config?.StopTimeout ?? 10,
    autoRemove: request.autoRemove,
    interactive: request.interactive,
    tty: options.tty,
    network: request.network,
    publish: [...request.publish],
    volumes: namedVolumes.map(({ name, destination }) => ({ name, destination })),
    logSize: request.logSize,
  };
  let idFile: string | null = null;
  try {
    await addContainer(store, container, () => {
      if (request.idFile !== null) writeIdFile(request.idFile, container.id);
      idFile = request.idFile;
      for (const volume of namedVolumes) ensureVolume(store, volume.name);
    });
    await fillContainer(request, container);
    return container;
  } catch (error) {
    // It would name a container that is not there.
    if (idFile !== null) unlinkIfThere(idFile);
    throw error;
  }
}

/** Makes what a container that is in the list consists of. @throws {Error} nothing is left of it then */
async function fillContainer(
  { store, reference, options, progress, namedVolumes, ...request }: CreateRequest,
  container: Container,
): Promise<void> {
  const platform = request.platform ? { platform: request.platform } : {};
  using _ = await lockContainer(store, container);
  try {
    makeFifos(store, container);
    const network = { mode: request.network, hostname: options.hostname ?? container.id.slice(0, 12) };
    writeNetworkFiles(containerPath(store, container.id), network);
    const directory = containerPath(store, container.id, "bundle");
    const mounts = namedVolumes.map(({ name, destination, options }) => ({
      destination,
      type: "bind",
      source: volumeData(store, name),
      options: ["rbind", ...options],
    }));
    await makeBundle({
      store,
      reference,
      directory,
      ...platform,
      ...(progress ? { progress } : {}),
      options: {
        ...options,
        annotations: { ...options.annotations, [CONTAINER_ANNOTATION]: container.id },
        hostname: network.hostname,
        mounts: [
          ...options.mounts,
          ...mounts,
          ...networkMounts(containerPath(store, container.id), network.mode, {
            mounts: [...options.mounts, ...mounts],
            readOnly: options.readOnly,
          }),
        ],
        network: request.network === "host" ? "host" : "none",
      },
    });
    using rootfs = openRoot(join(directory, "rootfs"));
    for (const volume of namedVolumes) await fillVolume(store, volume, rootfs, options.rootless);
  } catch (error) {
    await removeLocked(store, container);
    throw error;
  }
}

/** Before the container is there: whoever finds the file knows all that may have been made. */
function writeIdFile(path: string, id: string): void {
  try {
    writeFileSync(path, id, { flag: "wx" });
  } catch (error) {
    const why = hasErrno(error, "EEXIST") ? "there is such a file already" : (error as Error).message;
    throw new Error(`--cidfile ${path}: ${why}`);
  }
}

function fullName(reference: string): string {
  try {
    return formatReference(parseReference(reference));
  } catch {
    return reference;
  }
}

/** An image's nonsense is no reason not to run it. */
function toSignal(text: string | null, isGiven: boolean): number {
  const signal = text === null ? SIGTERM : parseSignal(text);
  if (signal === null && isGiven) throw new Error(`--stop-signal ${JSON.stringify(text)}: there is no such signal`);
  return signal ?? SIGTERM;
}
