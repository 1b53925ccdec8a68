/**
 * `descriptors.json` beside the images: what the init's standard streams were when it was dumped, so that those of who restores it can take
 * their place. Of the same form as runc's: what the links in `/proc/<pid>/fd` say.
 */
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readLink, readTextOf, writeFile } from "../sys/file.ts";

const NAME = "descriptors.json";
const STREAMS = [0, 1, 2];

/** A file that has more is none that was written here, in bytes. */
const MOST = 1 << 20;

/** Writes down what the streams of a process are. @throws {SyscallError} */
export function writeStreams(images: Fd, pid: number): void {
  const streams = STREAMS.map((fd) => {
    try {
      return readLink(`/proc/${pid}/fd/${fd}`);
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return "";
      throw error;
    }
  });
  // Of an earlier checkpoint, or whatever else has the name.
  removeStreams(images);
  writeFile(`${images.procPath}/${NAME}`, JSON.stringify(streams), { exclusive: true, mode: 0o600 });
}

/** Removes it, so that nobody takes what else is there for a checkpoint. */
export function removeStreams(images: Fd): void {
  syscall("unlinkat", images.number, NAME, 0);
}

/**
 * Reads it. Images come from elsewhere, so that they may have anything in them.
 * @throws {Error} when it is not there, or is no list of texts
 */
export function readStreams(images: Fd, imagePath: string): string[] {
  const path = `${imagePath}/${NAME}`;
  let file: Fd;
  try {
    file = open(NAME, O.RDONLY | O.NOFOLLOW | O.NONBLOCK, 0, images.number);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) throw new Error(`${imagePath} has no checkpoint of a container: ${NAME} is missing`);
    throw error;
  }
  using _ = file;
  const refuse = () => new Error(`${path}: a list of three descriptors' names is expected`);
  let streams: unknown;
  try {
    streams = JSON.parse(readTextOf(file, path, MOST));
  } catch {
    throw refuse();
  }
  if (!Array.isArray(streams) || !streams.every((one) => typeof one === "string")) throw refuse();
  return streams;
}
