/**
 * Texts as UTF-8, and names, which the kernel takes to be bytes.
 *
 * A byte that is not part of UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, and that becomes the byte again: so every name that
 * a directory, a link or the kernel gives is a string, and leads to its file. JSON keeps such a string by its escapes (`"\\udcff"`).
 * Python does the same (PEP 383, "surrogateescape").
 *
 * Node's Buffer makes U+FFFD of such a byte, and the name leads nowhere.
 */

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** Where the surrogates that stand for bytes begin: at byte 0. */
const ESCAPE = 0xdc00;

/** The bytes of a text. */
export function encode(text: string): Uint8Array<ArrayBuffer> {
  return text.isWellFormed() ? encoder.encode(text) : encodeEscaped(text);
}

/** The text of bytes, which {@link encode} makes the same bytes of. */
export function decode(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

/** Whether a text stands for bytes that are not UTF-8: what encodes it otherwise makes U+FFFD of them. */
export function isEscaped(text: string): boolean {
  return !text.isWellFormed();
}

function encodeEscaped(text: string): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const part of text.split(/([\udc80-\udcff]+)/u)) {
    const escapes = part !== "" && isByte(part.charCodeAt(0));
    parts.push(escapes ? Uint8Array.from(part, (unit) => unit.charCodeAt(0) - ESCAPE) : encoder.encode(part));
  }
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function isByte(unit: number): boolean {
  return unit >= ESCAPE + 0x80 && unit <= ESCAPE + 0xff;
}

function decodeEscaping(bytes: Uint8Array): string {
  let text = "";
  let valid = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += strict.decode(bytes.subarray(valid, at)) + String.fromCharCode(ESCAPE + (bytes[at] as number));
      valid = at + 1;
    }
    at += length || 1;
  }
  return text + strict.decode(bytes.subarray(valid));
}

/** How long the character at a place is; 0 where there is none. @see Unicode, table 3-7 "Well-Formed UTF-8 Byte Sequences" */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  // No longer form than is needed, no surrogate, nothing above U+10FFFF.
  const [low, high] = { 224: [0xa0, 0xbf], 237: [0x80, 0x9f], 240: [0x90, 0xbf], 244: [0x80, 0x8f] }[first] ?? [
    0x80, 0xbf,
  ];
  for (let index = 1; index < length; index++) {
    const byte = bytes[at + index] ?? 0;
    const [least, most] = index === 1 ? [low as number, high as number] : [0x80, 0xbf];
    if (byte < least || byte > most) return 0;
  }
  return length;
}
