/** What an archive or a directory of images consists of: files by name, whose contents go into the store. */
import type { Descriptor } from "../store/documents.ts";
import type { Lease } from "../store/lease.ts";

/** Content that is in the store now. */
export interface Stored extends Pick<Descriptor, "digest" | "size"> {
  /** The first bytes, by which its compression is known. */
  head: Uint8Array;
}

export interface Members {
  /** What it is called in errors. */
  readonly label: string;
  /** A small file's contents; `null` where there is none. @throws {Error} for one of more than 4 MiB */
  document(name: string): Promise<Uint8Array | null>;
  /**
   * Puts a file into the store.
   * @param expected what it has to be, where that is known
   * @returns `null` where there is none
   * @throws {WrongContentError}
   */
  store(lease: Lease, name: string, expected?: Pick<Descriptor, "digest" | "size">): Promise<Stored | null>;
}

/** Names without `./`, doubled slashes and `..`. */
export function cleanName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** How many bytes {@link Stored.head} has. */
export const HEAD = 8;
