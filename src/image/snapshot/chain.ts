/**
 * What a stack of layers is called: the chain id of its uppermost layer. How a layer unpacks depends on those below it (a directory that it
 * does not name has their owner; a hard link may lead to a file of theirs), so an unpacked layer is shared by images that have all of them.
 * @see image-spec config.md, "Layer ChainID"
 */
import { createHash } from "../../sys/hash.ts";

/** The chain ids of a stack, the lowest layer's first, as hexadecimal digits of sha256. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  let last: string | undefined;
  for (const diffId of diffIds) {
    last = last === undefined ? diffId : `sha256:${createHash("sha256").update(`${last} ${diffId}`).digest("hex")}`;
    // The lowest layer's is its diffID, whatever its algorithm.
    chain.push(last.replace(":", "-"));
  }
  return chain;
}
