import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hasErrno } from "../../src/sys/error.ts";
import {
  bindDatagramSocket,
  connect,
  isHungUp,
  listenAt,
  receiveBytes,
  receiveMessage,
  sendDatagram,
  sendMessage,
  socketpair,
} from "../../src/sys/socket.ts";
import { decode, encode } from "../../src/sys/text.ts";

const text = (socket: number) => {
  const message = receiveMessage(socket);
  return message === null ? null : decode(message.payload);
};

test("messages keep their ends, and their length is no one's limit", () => {
  const [one, other] = socketpair();
  const long = "x".repeat(100_000);
  for (const message of ["a", "bc", long]) sendMessage(one.number, encode(message));
  expect(["a", "bc", long].map(() => text(other.number))).toEqual(["a", "bc", long]);
  one.close();
  expect(text(other.number)).toBeNull();
  other.close();
});

test("what was sent is there when the sender is gone and has read nothing", () => {
  const [one, other] = socketpair();
  sendMessage(other.number, encode("unread"));
  sendMessage(one.number, encode("last words"));
  one.close();
  expect(text(other.number)).toBe("last words");
  expect(text(other.number)).toBeNull();
  other.close();
});

test("an end is hung up when the other is closed, and not for want of messages", () => {
  const [one, other] = socketpair();
  expect(isHungUp(other.number)).toBe(false);
  sendMessage(one.number, encode("a"));
  expect(isHungUp(other.number)).toBe(false);
  expect(text(other.number)).toBe("a");
  one.close();
  expect(isHungUp(other.number)).toBe(true);
  other.close();
});

test("an end is hung up when the other is closed, whatever either has left unread", () => {
  const [one, other] = socketpair();
  sendMessage(other.number, encode("unread"));
  sendMessage(one.number, encode("unread, too"));
  one.close();
  expect(isHungUp(other.number)).toBe(true);
  other.close();
});

test("descriptors that cannot all be taken are an error, and none of them stays open", () => {
  const [one, other] = socketpair();
  const before = readdirSync("/proc/self/fd").length;
  // One message takes 253 of them; who receives has room for fewer, as one has whose own limit is reached.
  sendMessage(
    one.number,
    encode("many"),
    Array.from({ length: 100 }, () => one.number),
  );
  expect(() => receiveMessage(other.number)).toThrow(/receive descriptors.*too many open files|EMFILE/i);
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  one.close();
  other.close();
});

test("descriptors of one who is not trusted are let go of", () => {
  const [one, other] = socketpair();
  const before = readdirSync("/proc/self/fd").length;
  sendMessage(one.number, encode("READY=1"), [one.number, one.number]);
  expect(decode(receiveBytes(other.number))).toBe("READY=1");
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  one.close();
  other.close();
});

/** A socket on which somebody listens and does nothing else. */
function idleListener(...below: string[]): string {
  const top = mkdtempSync(join(tmpdir(), "tsrunc-socket-"));
  const directory = join(top, ...below);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "idle");
  const listener = listenAt(path);
  onTestFinished(() => {
    listener.close();
    rmSync(top, { recursive: true });
  });
  return path;
}

test("a path may be longer than an address", () => {
  const before = readdirSync("/proc/self/fd").length;
  const path = idleListener("d".repeat(120), "e".repeat(120));
  expect(existsSync(path)).toBe(true);
  using socket = connect(path);
  expect(isHungUp(socket.number)).toBe(false);
  const datagrams = `${path}-datagrams`;
  using received = bindDatagramSocket(datagrams);
  sendDatagram(datagrams, "hello");
  expect(text(received.number)).toBe("hello");
  // The listener, and the two above.
  expect(readdirSync("/proc/self/fd").length).toBe(before + 3);
});

test("one that is not there is named, and so is a name that no descriptor can stand for", () => {
  const long = join(tmpdir(), "n".repeat(120));
  expect(() => connect(long)).toThrow(`open ${long}: ENOENT`);
  expect(() => listenAt(long)).toThrow("is longer than unix(7) allows");
  expect(() => connect(`@${"n".repeat(120)}`)).toThrow("longer than the 107 bytes that unix(7) allows");
});

test("nobody waits for ever for a connection that is not accepted", () => {
  const path = idleListener();
  const waiting = [];
  let failure: unknown;
  try {
    while (waiting.length < 100) waiting.push(connect(path, 50));
  } catch (error) {
    failure = error;
  }
  for (const socket of waiting) socket.close();
  expect(hasErrno(failure, "EAGAIN")).toBe(true);
  expect((failure as Error).message).toContain(path);
});

test("nor for one who reads nothing", () => {
  using socket = connect(idleListener(), 50);
  const send = () => {
    for (let sent = 0; sent < 100; sent++) sendMessage(socket.number, new Uint8Array(100_000));
  };
  expect(send).toThrow("EAGAIN");
});
