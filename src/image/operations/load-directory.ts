/** skopeo's `dir:`: the manifest, and contents by their hexadecimal digits. */
import { shortDigest, splitDigest } from "../store/digest.ts";
import { parseRoot } from "../store/parse-documents.ts";
import { putDocument } from "../store/put-document.ts";
import { checkConfig, type Found, type Loading, refuseArtifact } from "./loading.ts";

/** Takes its image in. @param bytes its `manifest.json` @throws {Error} one line */
export async function loadDirectory(loading: Loading, bytes: Uint8Array): Promise<Found> {
  const { lease, members, options, reporter } = loading;
  const { label } = members;
  const root = parseRoot(bytes, undefined, `${label}/manifest.json`);
  if (root.kind !== "manifest")
    throw new Error(`${label}/manifest.json: is an index: of a dir: one image can be loaded`);
  const { config, layers } = root.document;
  refuseArtifact(loading, root.document, label);
  for (const { digest, size } of [config, ...layers]) {
    const task = reporter.task(shortDigest(digest), size);
    const { hex } = splitDigest(digest);
    if ((await members.store(lease, hex, { digest, size })) === null) throw new Error(`${label}/${hex}: is missing`);
    task.done();
  }
  await checkConfig(loading, root.document, label, options.all ? undefined : options.platform);
  return { descriptor: await putDocument(lease, root.mediaType, bytes), names: [null] };
}
