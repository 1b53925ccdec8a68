/** Shows the unpacking of layers: a line each, with the bytes of their archives. */
import type { UnpackProgress } from "../snapshot/unpack.ts";
import { type Digest, shortDigest } from "../store/digest.ts";
import type { Reporter, Task } from "./reporter.ts";

export function unpackProgress(reporter: Reporter): UnpackProgress {
  const tasks = new Map<string, { task: Task; bytes: number }>();
  return {
    begin(digest, size) {
      tasks.set(digest, { task: reporter.task(`unpacking ${shortDigest(digest as Digest)}`, size), bytes: 0 });
    },
    read(digest, bytes) {
      const known = tasks.get(digest);
      if (known === undefined) return;
      known.bytes += bytes;
      known.task.update(known.bytes);
    },
    end(digest) {
      tasks.get(digest)?.task.done();
      tasks.delete(digest);
    },
    notice: (text) => reporter.note(`warning: ${text}`),
  };
}
