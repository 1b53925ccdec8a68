/**
 * Names of files as what they are to the kernel: bytes.
 *
 * Each byte is one code unit of a string, so that names can be compared, split and looked up; the engine keeps such a string as bytes,
 * too. One is never shown as it is: {@link printable} makes a text of it.
 */
import { decode, encode } from "./text.ts";

declare const bytes: unique symbol;

/** A name, path or link's target, a code unit of 0 to 255 a byte. */
export type ByteName = string & { readonly [bytes]: true };

/** The name that bytes are. */
export function nameOfBytes(memory: Uint8Array): ByteName {
  return Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength).toString("latin1") as ByteName;
}

/** The name that a text stands for: its UTF-8. */
export function nameOfText(text: string): ByteName {
  return isAscii(text) ? (text as ByteName) : nameOfBytes(encode(text));
}

/** The bytes of a name. */
export function bytesOfName(name: ByteName): Uint8Array {
  return Buffer.from(name, "latin1");
}

/** A name as text, to be read: UTF-8, with what is none, and what would change a terminal's or a line's look, as `\xNN`. */
export function printable(name: ByteName): string {
  if (/^[\x20-\x5b\x5d-\x7e]*$/.test(name)) return name;
  const memory = bytesOfName(name);
  const text = decode(memory);
  if (!text.includes("\ufffd") && !/[\p{C}\p{Zl}\p{Zp}\\]/u.test(text)) return text;
  return name.replace(/[^\x20-\x5b\x5d-\x7e]/g, (unit) => `\\x${unit.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** Puts a name below a directory; the empty name is the directory from which paths start. */
export function joinNames(directory: ByteName, name: ByteName): ByteName {
  return (directory === "" ? name : `${directory}/${name}`) as ByteName;
}

/** A path's directory; empty for a path of one component. */
export function parentOf(path: ByteName): ByteName {
  return path.slice(0, Math.max(0, path.lastIndexOf("/"))) as ByteName;
}

/** A path's last component. */
export function baseOf(path: ByteName): ByteName {
  return path.slice(path.lastIndexOf("/") + 1) as ByteName;
}

/** The components of a path, without empty ones and `.`. */
export function componentsOf(path: ByteName): ByteName[] {
  return path.split("/").filter((part) => part !== "" && part !== ".") as ByteName[];
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}
