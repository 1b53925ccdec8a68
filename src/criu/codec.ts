/**
 * Writes and reads CRIU's messages by their tables. How fields lie in memory is pbf's; its texts are not used, for these are names of files, and
 * names are bytes.
 */
import { PbfReader, PbfWriter } from "pbf";
import { decode, encode } from "../sys/text.ts";
import {
  type CriuRequest,
  type CriuResponse,
  type Field,
  type Message,
  REQUEST,
  RESPONSE,
  type Scalar,
  type ValueOf,
} from "./messages.ts";

/** Wire types. @see https://protobuf.dev/programming-guides/encoding */
const [VARINT, BYTES] = [0, 2];

/** @returns the bytes of a request */
export function encodeRequest(request: CriuRequest): Uint8Array {
  const writer = new PbfWriter();
  write(REQUEST, request, writer);
  return writer.finish();
}

/** @throws {Error} where the bytes are no response */
export function decodeResponse(bytes: Uint8Array): CriuResponse {
  const response = read(RESPONSE, new PbfReader(bytes), bytes.length);
  if (response.type === undefined) throw new Error("criu sent a response that cannot be read");
  return response;
}

function write(message: Message, values: Record<string, unknown>, writer: PbfWriter): void {
  for (const [name, [tag, type, many]] of Object.entries(message)) {
    const value = values[name];
    if (value === undefined) continue;
    for (const one of many === undefined ? [value] : (value as unknown[])) writeField(tag, type, one, writer);
  }
}

function writeField(tag: number, type: Field[1], value: unknown, writer: PbfWriter): void {
  if (typeof type === "object")
    return writer.writeMessage(tag, (one, to) => write(type, one, to), value as object as Record<string, unknown>);
  writer.writeTag(tag, type === "text" ? BYTES : VARINT);
  if (type === "text") writer.writeBytes(encode(value as string));
  else writer.writeVarint(Number(value));
}

function read<M extends Message>(message: M, reader: PbfReader, end: number): ValueOf<M> {
  const byNumber = new Map(Object.entries(message).map(([name, [tag, type, many]]) => [tag, { name, type, many }]));
  const readOne = (tag: number, values: Record<string, unknown>) => {
    const field = byNumber.get(tag);
    // Of a newer CRIU. pbf passes over what nobody has read.
    if (field === undefined) return;
    const value = readField(field.type, reader);
    if (field.many === undefined) values[field.name] = value;
    else values[field.name] = [...((values[field.name] as unknown[]) ?? []), value];
  };
  return reader.readFields(readOne, {}, end) as ValueOf<M>;
}

function readField(type: Scalar | Message, reader: PbfReader): unknown {
  if (typeof type === "object") {
    const length = reader.readVarint();
    return read(type, reader, reader.pos + length);
  }
  if (type === "text") return decode(reader.readBytes());
  return type === "boolean" ? reader.readBoolean() : reader.readVarint(true);
}
