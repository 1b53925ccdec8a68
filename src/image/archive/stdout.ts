/** An archive on stdout. */
import { requireStream, streamError } from "../../sys/standard-streams.ts";

/**
 * Sends something to stdout as a stream.
 * @throws {UnreadError} when nobody reads it any more
 * @throws {Error} what it fails by, also where the caller has closed stdout
 */
export async function toStdout(send: (stdout: NodeJS.WriteStream) => Promise<void>): Promise<void> {
  requireStream("stdout");
  try {
    await send(process.stdout);
  } catch (error) {
    throw streamError("stdout", error);
  }
}
