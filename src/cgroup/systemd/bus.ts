/**
 * A client of a D-Bus message bus: calls, each answered before the next, and the signals that came meanwhile.
 *
 * It is our own, in place of systemd's libsystemd, for where the program runs: in a snapshot, whose libc is the builder's, a library of
 * the host has no libc to be linked with. What is needed of the protocol is small.
 * @see D-Bus Specification, "Message Protocol", "Authentication Protocol"
 */

import { monotonicTime } from "../../sys/clock.ts";
import type { Fd } from "../../sys/fd.ts";
import { readSome, writeSome } from "../../sys/io.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { connect } from "../../sys/socket.ts";
import { Reader, type Value, type Variant, Writer } from "./marshal.ts";

const [METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL] = [1, 2, 3, 4];
/** Fields of a message's header. */
const FIELD = { path: 1, interface: 2, member: 3, errorName: 4, replySerial: 5, destination: 6, signature: 8 } as const;
/** The longest message there may be, in bytes. */
const MAX_MESSAGE = 1 << 27;
/** A busy systemd takes seconds, and one that takes longer than this does not answer at all. In milliseconds. */
const PATIENCE = 30_000;

/** Whom to call, and what. */
export interface Method {
  destination: string;
  path: string;
  interface: string;
  member: string;
  /** Of the arguments. */
  signature?: string;
}

/** What somebody tells everybody. */
export interface Signal {
  path: string;
  interface: string;
  member: string;
  values: Value[];
}

interface Message {
  type: number;
  fields: Map<number, Value>;
  values: Value[];
}

/** An error that was the answer to a call. */
export class BusError extends Error {
  /** @param errorName such as `org.freedesktop.systemd1.NoSuchUnit` */
  constructor(
    readonly errorName: string,
    message: string,
  ) {
    super(message === "" ? errorName : message);
  }
}

/** A connection to a message bus. */
export class Bus implements Disposable {
  readonly #socket: Fd;
  #received: Buffer = Buffer.alloc(0);
  #serial = 0;
  readonly #signals: Signal[] = [];
  readonly #patience: number;

  private constructor(socket: Fd, patience: number) {
    this.#socket = socket;
    this.#patience = patience;
  }

  /**
   * Connects, and says who we are.
   * @param addresses as in `$DBUS_SESSION_BUS_ADDRESS`
   * @param patience how long an answer, or a signal that is waited for, may take, in milliseconds
   * @throws {Error} when there is no such bus, or it does not let us in
   */
  static open(addresses: string, patience = PATIENCE): Bus {
    const bus = new Bus(connect(socketPath(addresses)), patience);
    try {
      bus.#authenticate();
      const { bus: destination, path } = { bus: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };
      bus.call({ destination, path, interface: "org.freedesktop.DBus", member: "Hello" });
      return bus;
    } catch (error) {
      bus[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Calls a method and waits for its answer.
   * @throws {BusError} when the answer is an error
   * @throws {Error} when there is none in time
   */
  call(method: Method, ...values: readonly Value[]): Value[] {
    const serial = ++this.#serial;
    this.#send(encodeCall(method, values, serial));
    const deadline = monotonicTime() + this.#patience;
    for (;;) {
      const message = this.#receive(deadline, `${method.interface}.${method.member}`);
      if (message.type === SIGNAL) this.#signals.push(signalOf(message));
      if (message.fields.get(FIELD.replySerial) !== serial) continue;
      if (message.type === METHOD_RETURN) return message.values;
      if (message.type === ERROR) {
        throw new BusError(String(message.fields.get(FIELD.errorName)), String(message.values[0] ?? ""));
      }
    }
  }

  /**
   * Waits for a signal that a match rule lets through.
   * @param what waits, for the error
   * @throws {Error} when it does not come in time
   */
  waitFor(what: string, isIt: (signal: Signal) => boolean): Signal {
    const deadline = monotonicTime() + this.#patience;
    for (;;) {
      for (let signal = this.#signals.shift(); signal !== undefined; signal = this.#signals.shift()) {
        if (isIt(signal)) return signal;
      }
      const message = this.#receive(deadline, what);
      if (message.type === SIGNAL) this.#signals.push(signalOf(message));
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  /** By the credentials that the kernel tells of the socket: with no name of ours, which another user namespace would not know. */
  #authenticate(): void {
    this.#send(Buffer.from("\0AUTH EXTERNAL\r\nDATA\r\n"));
    const deadline = monotonicTime() + this.#patience;
    for (;;) {
      const line = this.#line(deadline);
      if (line.startsWith("OK ")) return this.#send(Buffer.from("BEGIN\r\n"));
      if (line !== "DATA") throw new Error(`the message bus does not let us in: ${line}`);
    }
  }

  #line(deadline: number): string {
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#received.toString("latin1", 0, end);
        this.#received = this.#received.subarray(end + 2);
        return line;
      }
      this.#read(deadline, "authentication");
    }
  }

  #receive(deadline: number, what: string): Message {
    for (;;) {
      const length = messageLength(this.#received);
      if (length !== null && this.#received.length >= length) {
        const message = decode(this.#received.subarray(0, length));
        this.#received = this.#received.subarray(length);
        return message;
      }
      this.#read(deadline, what);
    }
  }

  #read(deadline: number, what: string): void {
    const remaining = deadline - monotonicTime();
    if (remaining <= 0) throw new Error(`no answer from the message bus within ${this.#patience / 1000} s: ${what}`);
    if (poll([{ fd: this.#socket.number, events: POLL.IN }], remaining)[0] === 0) return;
    const memory = Buffer.alloc(65536);
    const count = readSome(this.#socket.number, memory);
    if (count === 0) throw new Error(`the message bus has closed the connection: ${what}`);
    this.#received = Buffer.concat([this.#received, memory.subarray(0, count ?? 0)]);
  }

  #send(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSome(this.#socket.number, rest) ?? 0);
  }
}

/** The first address of a list that is a unix socket. @throws {Error} when there is none */
export function socketPath(addresses: string): string {
  for (const address of addresses.split(";")) {
    if (!address.startsWith("unix:")) continue;
    for (const pair of address.slice("unix:".length).split(",")) {
      const [key, value = ""] = pair.split("=", 2);
      const text = decodeURIComponent(value);
      if (key === "path") return text;
      if (key === "abstract") return `@${text}`;
    }
  }
  throw new Error(`no unix socket in the bus address ${JSON.stringify(addresses)}`);
}

function encodeCall(method: Method, values: readonly Value[], serial: number): Uint8Array {
  const { signature = "" } = method;
  const body = new Writer();
  body.writeAll(signature, values);
  const field = (code: number, type: string, value: string): Value => [
    code,
    { signature: type, value } satisfies Variant,
  ];
  const fields = [
    field(FIELD.path, "o", method.path),
    field(FIELD.interface, "s", method.interface),
    field(FIELD.member, "s", method.member),
    field(FIELD.destination, "s", method.destination),
    ...(signature === "" ? [] : [field(FIELD.signature, "g", signature)]),
  ];
  const header = new Writer();
  const LITTLE_ENDIAN = "l".charCodeAt(0);
  header.writeAll("yyyyuua(yv)", [LITTLE_ENDIAN, METHOD_CALL as number, 0, 1, body.bytes.length, serial, fields]);
  header.align(8);
  return Buffer.concat([header.bytes, body.bytes]);
}

/** The length of the message that begins here; `null` when too little of it is here to tell. @throws {Error} for what is none */
function messageLength(bytes: Buffer): number | null {
  if (bytes.length < 16) return null;
  if (bytes[0] !== "l".charCodeAt(0)) throw new Error("a D-Bus message that is not little-endian");
  const fields = bytes.readUInt32LE(12);
  const length = 16 + fields + (-fields & 7) + bytes.readUInt32LE(4);
  if (length > MAX_MESSAGE) throw new Error(`a D-Bus message of ${length} bytes`);
  return length;
}

function decode(bytes: Buffer): Message {
  const reader = new Reader(bytes);
  const [, type, , , , , fields] = reader.readAll("yyyyuua(yv)");
  reader.align(8);
  const byCode = new Map((fields as [number, Variant][]).map(([code, { value }]) => [code, value]));
  const signature = String(byCode.get(FIELD.signature) ?? "");
  return { type: type as number, fields: byCode, values: reader.readAll(signature) };
}

function signalOf({ fields, values }: Message): Signal {
  const text = (code: number) => String(fields.get(code) ?? "");
  return { path: text(FIELD.path), interface: text(FIELD.interface), member: text(FIELD.member), values };
}
