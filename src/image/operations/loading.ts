/** What loading has in common, whatever form images come in. */
import type { ArchiveLimits } from "../archive/decompress.ts";
import type { Members } from "../archive/members.ts";
import type { Reporter } from "../progress/reporter.ts";
import { readBlob } from "../store/blobs.ts";
import type { Descriptor, Manifest, Platform } from "../store/documents.ts";
import type { Lease } from "../store/lease.ts";
import { whyNoImage } from "../store/media-types.ts";
import { parseImageConfig } from "../store/parse-documents.ts";
import { refuseForeign } from "../store/platform.ts";
import { layersOf } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";

export interface LoadOptions {
  /** Which of an index's images; default: this machine's. */
  platform?: Platform;
  /** All that an index has. */
  all?: boolean;
  /** The name that the image shall have, in the place of those it comes with. There must be one image then. */
  name?: string;
  /** Of a whole archive, which may be compressed. */
  limits?: ArchiveLimits;
}

/** What is loaded, and where to. */
export interface Loading {
  store: Store;
  /** Holds on to all that is taken in. */
  lease: Lease;
  members: Members;
  options: LoadOptions;
  reporter: Reporter;
}

/** An image in the store that has no name there yet. */
export interface Found {
  descriptor: Descriptor;
  /** `null` for none. */
  names: (string | null)[];
}

/** What is listed like an image, and is for other programs. */
export class NoImageError extends Error {}

/** What could not be unpacked is no image to load. @throws {NoImageError} */
export function refuseArtifact({ options }: Loading, manifest: Manifest, label: string): void {
  const why = options.all ? null : whyNoImage(manifest);
  if (why !== null) throw new NoImageError(`${label}: ${why} (--all keeps it as it is)`);
}

/** @param wanted what the config, which is in the store, has to be for @throws {Error} */
export async function checkConfig(
  { store }: Loading,
  manifest: Manifest,
  label: string,
  wanted: Platform | undefined,
): Promise<void> {
  if (whyNoImage(manifest) !== null) return;
  const parsed = parseImageConfig(await readBlob(store, manifest.config), `config of ${label}`);
  layersOf(manifest, parsed, label);
  refuseForeign(parsed, wanted, label);
}
