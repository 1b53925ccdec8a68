/** What is wrong with a layer, in one line. */
import { type ByteName, printable } from "../../sys/byte-name.ts";

/** A layer that is damaged, hostile, or asks for what cannot be done. */
export class LayerError extends Error {
  override name = "LayerError";
}

/** An entry's name as messages show it, quoted; a long one cut. */
export function quoted(name: ByteName): string {
  const LONGEST = 200;
  const text = printable(name);
  return `"${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}"`;
}
