/**
 * What refers to a manifest, at a registry that does not note it itself: an index under a tag made of the manifest's digest, which clients keep.
 * @see distribution-spec, "Pushing Manifests with Subject", "Referrers Tag Schema"
 */
import type { Descriptor, Index } from "../store/documents.ts";
import { MEDIA_TYPE } from "../store/media-types.ts";
import type { Root } from "../store/parse-documents.ts";
import type { RepositoryClient } from "./client.ts";
import { fetchRoot } from "./read.ts";
import { RegistryError } from "./registry-error.ts";
import { pushRoot } from "./write.ts";

/** The tag of the index of a manifest's referrers. @param subject the manifest's digest, of any algorithm */
export function referrersTag(subject: string): string {
  const colon = subject.indexOf(":");
  const parts = [subject.slice(0, colon).slice(0, 32), subject.slice(colon + 1).slice(0, 64)];
  return parts.join("-").replace(/[^A-Za-z0-9._-]/g, "-");
}

/**
 * Adds a manifest that has been pushed to the referrers of its subject. Its digest is the one that the registry has it by.
 * @throws {Error} where something else has the tag: it stays as it is
 */
export async function listReferrer(
  client: RepositoryClient,
  subject: string,
  { mediaType, digest, size }: Descriptor,
  root: Root,
): Promise<void> {
  const tag = referrersTag(subject);
  const index = await referrersAt(client, tag, subject);
  if (index.manifests.some((one) => one.digest === digest)) return;
  const { annotations } = root.document;
  const artifactType = root.document.artifactType || (root.kind === "manifest" ? root.document.config.mediaType : "");
  const own: Descriptor = {
    mediaType,
    digest,
    size,
    ...(artifactType === "" ? {} : { artifactType }),
    ...(annotations ? { annotations } : {}),
  };
  const bytes = new TextEncoder().encode(JSON.stringify({ ...index, manifests: [...index.manifests, own] }));
  await pushRoot(client, tag, MEDIA_TYPE.index, bytes);
}

async function referrersAt(client: RepositoryClient, tag: string, subject: string): Promise<Index> {
  try {
    const { root } = await fetchRoot(client, tag);
    if (root.kind === "index" && root.mediaType === MEDIA_TYPE.index) return root.document;
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404)
      return { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] };
    throw error;
  }
  const { registry, repository } = client.repository;
  throw new Error(
    `${registry}/${repository}:${tag}: is no OCI index: what was pushed is there, and is not listed as what refers to ${subject}`,
  );
}
