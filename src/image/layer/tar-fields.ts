/**
 * The fields of a tar header's block.
 * @see POSIX.1-2017 pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"; tar(5) of libarchive
 */
import { type ByteName, nameOfBytes } from "../../sys/byte-name.ts";
import { LayerError } from "./layer-error.ts";

/** Bytes of a block. */
export const BLOCK = 512;

/** Where a field is. */
interface Field {
  at: number;
  length: number;
}

export const FIELDS = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  linkName: { at: 157, length: 100 },
  magic: { at: 257, length: 8 },
  major: { at: 329, length: 8 },
  minor: { at: 337, length: 8 },
  prefix: { at: 345, length: 155 },
} as const satisfies Record<string, Field>;

/** A field's bytes before the first NUL. */
export function textField(block: Uint8Array, { at, length }: Field): ByteName {
  let end = at;
  while (end < at + length && block[end] !== 0) end++;
  return nameOfBytes(block.subarray(at, end));
}

/**
 * A number: octal digits, or, with the first bit set, two's complement, as GNU tar writes what has no room otherwise.
 * @param what the field, for messages
 * @throws {LayerError} for what is neither, or beyond 2^53
 */
export function numberField(block: Uint8Array, { at, length }: Field, what: string): number {
  const first = block[at] as number;
  if ((first & 0x80) !== 0) return binaryNumber(block, at, length, what);
  const SPACE = 0x20;
  let index = at;
  const end = at + length;
  while (index < end && (block[index] === SPACE || block[index] === 0)) index++;
  let value = 0;
  for (; index < end && block[index] !== SPACE && block[index] !== 0; index++) {
    const digit = (block[index] as number) - 0x30;
    if (digit < 0 || digit > 7) {
      const field = JSON.stringify(nameOfBytes(block.subarray(at, end)).replace(/\0+$/, ""));
      throw new LayerError(`${what} ${field} is not an octal number`);
    }
    value = value * 8 + digit;
  }
  return value;
}

function binaryNumber(block: Uint8Array, at: number, length: number, what: string): number {
  const first = block[at] as number;
  const isNegative = (first & 0x40) !== 0;
  let value = isNegative ? -0x40n : 0n;
  value += BigInt(first & 0x3f);
  for (let index = at + 1; index < at + length; index++) value = value * 256n + BigInt(block[index] as number);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER)) {
    throw new LayerError(`${what} ${value} is beyond what is possible`);
  }
  return Number(value);
}

/** Whether a block has the checksum that it says; old programs summed signed bytes. */
export function hasChecksum(block: Uint8Array): boolean {
  const { at, length } = FIELDS.checksum;
  let stated: number;
  try {
    stated = numberField(block, FIELDS.checksum, "checksum");
  } catch {
    return false;
  }
  let sum = 0x20 * length;
  let signed = sum;
  for (let index = 0; index < BLOCK; index++) {
    if (index >= at && index < at + length) continue;
    const byte = block[index] as number;
    sum += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  return stated === sum || stated === signed;
}

/** Whether a block is all zero: two of them end an archive. */
export function isZero(block: Uint8Array): boolean {
  for (let index = 0; index < BLOCK; index++) if (block[index] !== 0) return false;
  return true;
}
