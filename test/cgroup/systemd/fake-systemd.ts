/**
 * A message bus with a systemd on it that does as it is told: for what a real one does only when it fails.
 * Usage: bun fake-systemd.ts SOCKET SCENARIO LOG, the scenario as JSON; the log has a line for each call, `Member argument`.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { Reader, type Value, type Variant, Writer } from "../../../src/cgroup/systemd/marshal.ts";

/** What a call leads to: the result of its job, or an error. */
export type Outcome = "done" | "failed" | "timeout" | "exists" | "none" | "hang up" | "never" | "no answer";

export interface Scenario {
  version?: string;
  /** Of `StartTransientUnit` and `StopUnit`, one after the other; the last one stays. */
  outcomes?: Outcome[];
  /** Properties that this systemd does not know. */
  unknown?: string[];
  /** A property that it refuses to set. */
  refused?: string;
  /** A file whose text is logged with each `SetUnitProperties`. */
  watched?: string;
  /** What the unit's properties are. */
  properties?: Record<string, { signature: string; value: Value }>;
}

const [METHOD_RETURN, ERROR, SIGNAL] = [2, 3, 4];
const MANAGER = "/org/freedesktop/systemd1";

interface Call {
  serial: number;
  member: string;
  values: Value[];
}

function message(type: number, fields: [number, string, Value][], signature: string, values: readonly Value[]): Buffer {
  const body = new Writer();
  body.writeAll(signature, values);
  const all = signature === "" ? fields : [...fields, [8, "g", signature] as [number, string, Value]];
  const variants = all.map(([code, of, value]): Value => [code, { signature: of, value } satisfies Variant]);
  const header = new Writer();
  header.writeAll("yyyyuua(yv)", ["l".charCodeAt(0), type, 0, 1, body.bytes.length, 1, variants]);
  header.align(8);
  return Buffer.concat([header.bytes, body.bytes]);
}

function decode(bytes: Buffer): Call {
  const reader = new Reader(bytes);
  const [, , , , , serial, fields] = reader.readAll("yyyyuua(yv)");
  reader.align(8);
  const byCode = new Map((fields as [number, Variant][]).map(([code, { value }]) => [code, value]));
  const values = reader.readAll(String(byCode.get(8) ?? ""));
  return { serial: serial as number, member: String(byCode.get(3)), values };
}

function serve(socket: Socket, scenario: Scenario, log: string): void {
  const answer = ({ serial }: Call, signature = "", ...values: Value[]) =>
    socket.write(message(METHOD_RETURN as number, [[5, "u", serial]], signature, values));
  const refuse = ({ serial }: Call, name: string, text: string) => {
    const fields: [number, string, Value][] = [
      [4, "s", name],
      [5, "u", serial],
    ];
    socket.write(message(ERROR as number, fields, "s", [text]));
  };
  const unknownAmong = (properties: Value) =>
    (properties as [string, Variant][]).map(([name]) => name).find((name) => scenario.unknown?.includes(name));

  function job(call: Call): void {
    const outcome = scenario.outcomes?.[0] ?? "done";
    if ((scenario.outcomes?.length ?? 0) > 1) scenario.outcomes?.shift();
    const unit = String(call.values[0]);
    if (outcome === "hang up") return void socket.destroy();
    if (outcome === "no answer") return;
    if (outcome === "exists") return refuse(call, "org.freedesktop.systemd1.UnitExists", `Unit ${unit} exists.`);
    if (outcome === "none") return refuse(call, "org.freedesktop.systemd1.NoSuchUnit", `Unit ${unit} not loaded.`);
    const path = `${MANAGER}/job/7`;
    const fields = (member: string): [number, string, Value][] => [
      [1, "o", MANAGER],
      [2, "s", "org.freedesktop.systemd1.Manager"],
      [3, "s", member],
    ];
    // Another's job, and ours before the answer to the call: a quick job ends first.
    socket.write(message(SIGNAL as number, fields("JobRemoved"), "uoss", [6, `${MANAGER}/job/6`, "other", "failed"]));
    if (outcome !== "never") {
      socket.write(message(SIGNAL as number, fields("JobRemoved"), "uoss", [7, path, unit, outcome]));
    }
    answer(call, "o", path);
  }

  function handle(call: Call): void {
    const { member, values } = call;
    const first = member === "Get" ? String(values[1]) : String(values[0] ?? "");
    const list = member === "StartTransientUnit" ? values[2] : member === "SetUnitProperties" ? values[2] : undefined;
    const names = list === undefined ? "" : ` ${(list as [string, Variant][]).map(([name]) => name).join(",")}`;
    if (!["Hello", "AddMatch", "Subscribe"].includes(member)) appendFileSync(log, `${member} ${first}${names}\n`);
    if (member === "SetUnitProperties" && scenario.watched !== undefined) {
      appendFileSync(log, `${readFileSync(scenario.watched, "utf8").trim()}\n`);
    }
    if (member === "SetUnitProperties" && names.includes(scenario.refused ?? "\n")) {
      return refuse(call, "org.freedesktop.DBus.Error.InvalidArgs", `${scenario.refused} is out of range.`);
    }
    const unknown = list === undefined ? undefined : unknownAmong(list);
    if (unknown !== undefined) {
      const text = `Cannot set property ${unknown}, or unknown property.`;
      return refuse(call, "org.freedesktop.DBus.Error.PropertyReadOnly", text);
    }
    if (member === "Hello") return void answer(call, "s", ":1.1");
    if (member === "StartTransientUnit" || member === "StopUnit") return job(call);
    if (member === "GetUnit") return void answer(call, "o", `${MANAGER}/unit/x`);
    if (member !== "Get") return void answer(call);
    const version: Variant = { signature: "s", value: scenario.version ?? "252" };
    const found = first === "Version" ? version : scenario.properties?.[first];
    if (found === undefined) return refuse(call, "org.freedesktop.DBus.Error.UnknownProperty", `Unknown ${first}`);
    answer(call, "v", found);
  }

  let received = Buffer.alloc(0);
  let isIn = false;
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (!isIn && received.includes("DATA\r\n") && !received.includes("BEGIN\r\n")) {
      socket.write("DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n");
    }
    const begin = received.indexOf("BEGIN\r\n");
    if (!isIn && begin < 0) return;
    if (!isIn) received = received.subarray(begin + "BEGIN\r\n".length);
    isIn = true;
    while (received.length >= 16) {
      const fields = received.readUInt32LE(12);
      const length = 16 + fields + (-fields & 7) + received.readUInt32LE(4);
      if (received.length < length) return;
      const one = Buffer.from(received.subarray(0, length));
      received = received.subarray(length);
      handle(decode(one));
    }
  });
  socket.on("error", () => {});
}

const [path, scenario, log] = process.argv.slice(2);
if (path !== undefined && scenario !== undefined && log !== undefined) {
  const told = JSON.parse(scenario) as Scenario;
  // The log is there as soon as there is somebody to call.
  createServer((socket) => serve(socket, told, log)).listen(path, () => appendFileSync(log, ""));
}
