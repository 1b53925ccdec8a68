/** Removing what may be gone already. */
import { hasErrno } from "../../sys/error.ts";
import { unlink } from "../../sys/file.ts";

export function unlinkIfThere(path: string): void {
  try {
    unlink(path);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
  }
}
