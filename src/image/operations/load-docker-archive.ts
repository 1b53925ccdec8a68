/** What `docker save` writes and wrote: a `manifest.json` that names configurations and layers by their files. */
import type { Stored } from "../archive/members.ts";
import { formatOf } from "../layer/compression.ts";
import { familiarReference, parseName, parseReference } from "../reference/reference.ts";
import { readBlob } from "../store/blobs.ts";
import { type Digest, splitDigest } from "../store/digest.ts";
import type { ArchiveManifest, Descriptor, Manifest } from "../store/documents.ts";
import { MEDIA_TYPE } from "../store/media-types.ts";
import { parseImageConfig } from "../store/parse-documents.ts";
import { refuseForeign } from "../store/platform.ts";
import { putDocument } from "../store/put-document.ts";
import { layersOf } from "../store/resolve.ts";
import type { Found, Loading } from "./loading.ts";

/**
 * Takes the images of such an archive in.
 * @param items its `manifest.json`
 * @throws {Error} one line, with the JSON pointer of what is wrong
 */
export async function loadDockerArchive(
  { store, lease, members, options }: Loading,
  items: ArchiveManifest,
): Promise<Found[]> {
  const { label } = members;
  if (items.length === 0) throw new Error(`${label}: its manifest.json names no image`);
  const found: Found[] = [];
  for (const [at, item] of items.entries()) {
    const where = `${label}: manifest.json: /${at}`;
    const names = (item.RepoTags ?? []).map((name, index) => tagOf(name, `${where}/RepoTags/${index}`));
    const config = await members.store(lease, item.Config);
    if (config === null) throw new Error(`${where}/Config: ${item.Config} is not in the archive`);
    const parsed = parseImageConfig(await readBlob(store, config), `${where}/Config: ${item.Config}`);
    const layers: Descriptor[] = [];
    for (const [layer, name] of (item.Layers ?? []).entries()) {
      const stored = await members.store(lease, name);
      if (stored === null) throw new Error(`${where}/Layers/${layer}: ${name} is not in the archive`);
      layers.push(await layerOf(stored, parsed.rootfs.diff_ids?.[layer], `${where}/Layers/${layer}: ${name}`));
    }
    const manifest: Manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: { mediaType: MEDIA_TYPE.config, digest: config.digest, size: config.size },
      layers,
    };
    const called = names[0] ? familiarReference(parseReference(names[0])) : where;
    layersOf(manifest, parsed, called);
    refuseForeign(parsed, options.platform, called);
    found.push({
      descriptor: await putDocument(lease, MEDIA_TYPE.manifest, manifest),
      names: names.length === 0 ? [null] : names,
    });
  }
  return found;
}

async function layerOf({ digest, size, head }: Stored, diffId: Digest | undefined, where: string): Promise<Descriptor> {
  const compression = formatOf(head);
  if (compression === "xz" || compression === "bzip2")
    throw new Error(`${where}: is compressed by ${compression}, which no layer may be`);
  if (
    compression === "none" &&
    diffId !== undefined &&
    splitDigest(diffId).algorithm === "sha256" &&
    diffId !== digest
  ) {
    throw new Error(`${where}: has the digest ${digest}, and the config says ${diffId}`);
  }
  const mediaType = { none: MEDIA_TYPE.layer, gzip: MEDIA_TYPE.layerGzip, zstd: MEDIA_TYPE.layerZstd }[compression];
  return { mediaType, digest, size };
}

/** @throws {Error} for what is no name of an image, and for one with a digest, which would call the image what it is not */
function tagOf(name: string, where: string): string {
  try {
    return parseName(name);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
}
