/** Writing archives of images, a member at a time, by tar-stream. */
import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Pack, pack } from "tar-stream";

/** The times and owners in archives are always the same, so that the same images make the same archive. */
const MEMBER = { mtime: new Date(0), uid: 0, gid: 0, uname: "", gname: "" } as const;

/** Writes an archive to a stream. @param write makes the members @throws {Error} what either side fails by */
export async function packInto(output: Writable, write: (archive: Pack) => Promise<void>): Promise<void> {
  const archive = pack();
  const written = pipeline(archive as unknown as Readable, output);
  const writing = write(archive).then(() => archive.finalize());
  try {
    // When the output fails, nothing waits for room in it any more.
    await Promise.race([writing, written]);
    await written;
  } catch (error) {
    writing.catch(() => {});
    archive.destroy();
    // Who puts members into an archive whose output has failed learns that alone, and may learn it first.
    const failed = await written.then(
      () => null,
      (reason: NodeJS.ErrnoException) => reason,
    );
    throw failed?.errno === undefined ? error : failed;
  }
}

/** @param size bytes of the content */
export async function addMember(
  archive: Pack,
  name: string,
  size: number,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  await new Promise<void>((done, fail) => {
    const entry = archive.entry({ ...MEMBER, name, size, mode: 0o644 }, (error) =>
      error ? fail(error) : done(),
    ) as unknown as Writable;
    entry.on("error", fail);
    (async () => {
      for await (const chunk of content) if (!entry.write(chunk)) await once(entry, "drain");
      entry.end();
    })().catch((error) => {
      entry.destroy(error as Error);
      fail(error);
    });
  });
}

/** A member that is a JSON document. */
export async function addDocument(archive: Pack, name: string, value: unknown): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  await addMember(archive, name, bytes.byteLength, Readable.from([bytes]));
}
