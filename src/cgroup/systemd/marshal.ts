/**
 * Values on D-Bus: bytes made of a signature and values, and back.
 * @see D-Bus Specification, "Marshaling (Wire Format)" and "Type System"
 */

/** Strings, paths and signatures; numbers of up to 32 bits and doubles; `bigint` of 64 bits; arrays also for structs and dict entries. */
export type Value = string | number | bigint | boolean | Variant | readonly Value[];

/** A value that says its own type. */
export interface Variant {
  signature: string;
  value: Value;
}

const alignments: Record<string, number> = {
  ...{ y: 1, b: 4, n: 2, q: 2, i: 4, u: 4, h: 4, x: 8, t: 8, d: 8 },
  ...{ s: 4, o: 4, g: 1, v: 1, a: 4, "(": 8, "{": 8 },
};

/** Splits a signature into complete types: `sa(sv)u` is `s`, `a(sv)`, `u`. @throws {Error} for what is no signature */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

function endOfType(signature: string, start: number): number {
  const code = signature[start] ?? "";
  if (code === "a") return endOfType(signature, start + 1);
  if (alignments[code] === undefined) throw new Error(`invalid D-Bus signature ${JSON.stringify(signature)}`);
  if (code !== "(" && code !== "{") return start + 1;
  const close = code === "(" ? ")" : "}";
  let at = start + 1;
  while (signature[at] !== close) at = endOfType(signature, at);
  return at + 1;
}

/** Bytes being put together, in little-endian order. */
export class Writer {
  #bytes = Buffer.alloc(256);
  #length = 0;

  /** What is written so far. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Fills up to a multiple of so many bytes. */
  align(to: number): void {
    this.#extend(-this.#length & (to - 1));
  }

  /** Writes values of these types. */
  writeAll(signature: string, values: readonly Value[]): void {
    const types = splitSignature(signature);
    if (types.length !== values.length) throw new Error(`${values.length} values for the signature ${signature}`);
    types.forEach((type, index) => {
      this.write(type, values[index] as Value);
    });
  }

  write(type: string, value: Value): void {
    const code = type[0] as string;
    this.align(alignments[code] as number);
    switch (code) {
      case "y":
        return void this.#view(1).setUint8(0, Number(value));
      case "b":
        return void this.#view(4).setUint32(0, value === true ? 1 : 0, true);
      case "n":
        return void this.#view(2).setInt16(0, Number(value), true);
      case "q":
        return void this.#view(2).setUint16(0, Number(value), true);
      case "i":
        return void this.#view(4).setInt32(0, Number(value), true);
      case "u":
      case "h":
        return void this.#view(4).setUint32(0, Number(value), true);
      case "x":
        return void this.#view(8).setBigInt64(0, BigInt(value as bigint), true);
      case "t":
        return void this.#view(8).setBigUint64(0, BigInt(value as bigint), true);
      case "d":
        return void this.#view(8).setFloat64(0, Number(value), true);
      case "s":
      case "o":
        return this.#text(String(value), 4);
      case "g":
        return this.#text(String(value), 1);
      case "v": {
        const variant = value as Variant;
        this.#text(variant.signature, 1);
        return this.write(variant.signature, variant.value);
      }
      case "a":
        return this.#array(type.slice(1), value as readonly Value[]);
      default:
        return this.writeAll(type.slice(1, -1), value as readonly Value[]);
    }
  }

  /** The length does not count what aligns the first element. */
  #array(type: string, elements: readonly Value[]): void {
    const at = this.#extend(4);
    this.align(alignments[type[0] as string] as number);
    const start = this.#length;
    for (const element of elements) this.write(type, element);
    this.#bytes.writeUInt32LE(this.#length - start, at);
  }

  #text(text: string, lengthBytes: 1 | 4): void {
    const encoded = Buffer.from(text);
    const lengthAt = this.#extend(lengthBytes);
    this.#bytes.writeUIntLE(encoded.length, lengthAt, lengthBytes);
    const at = this.#extend(encoded.length + 1);
    encoded.copy(this.#bytes, at);
  }

  #view(size: number): DataView {
    const at = this.#extend(size);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, size);
  }

  /** Makes room, of zeros. @returns where it begins */
  #extend(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(2 * this.#length);
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return at;
  }
}

/** Reads values from bytes, of little-endian order. What does not fit in them throws a RangeError. */
export class Reader {
  #at: number;

  constructor(
    private readonly bytes: Buffer,
    at = 0,
  ) {
    this.#at = at;
  }

  align(to: number): void {
    this.#at += -this.#at & (to - 1);
  }

  readAll(signature: string): Value[] {
    return splitSignature(signature).map((type) => this.read(type));
  }

  read(type: string): Value {
    const code = type[0] as string;
    this.align(alignments[code] as number);
    switch (code) {
      case "y":
        return this.bytes.readUInt8(this.#skip(1));
      case "b":
        return this.bytes.readUInt32LE(this.#skip(4)) !== 0;
      case "n":
        return this.bytes.readInt16LE(this.#skip(2));
      case "q":
        return this.bytes.readUInt16LE(this.#skip(2));
      case "i":
        return this.bytes.readInt32LE(this.#skip(4));
      case "u":
      case "h":
        return this.bytes.readUInt32LE(this.#skip(4));
      case "x":
        return this.bytes.readBigInt64LE(this.#skip(8));
      case "t":
        return this.bytes.readBigUInt64LE(this.#skip(8));
      case "d":
        return this.bytes.readDoubleLE(this.#skip(8));
      case "s":
      case "o":
        return this.#text(this.bytes.readUInt32LE(this.#skip(4)));
      case "g":
        return this.#text(this.bytes.readUInt8(this.#skip(1)));
      case "v": {
        const signature = this.#text(this.bytes.readUInt8(this.#skip(1)));
        return { signature, value: this.read(signature) };
      }
      case "a": {
        const length = this.bytes.readUInt32LE(this.#skip(4));
        this.align(alignments[type[1] as string] as number);
        const end = this.#at + length;
        const elements: Value[] = [];
        while (this.#at < end) elements.push(this.read(type.slice(1)));
        return elements;
      }
      default:
        return this.readAll(type.slice(1, -1));
    }
  }

  #text(length: number): string {
    const at = this.#skip(length + 1);
    return this.bytes.toString("utf8", at, at + length);
  }

  #skip(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.bytes.length) throw new RangeError("a D-Bus message is shorter than it says");
    return at;
  }
}
