import { expect, test } from "vitest";
import { isHungUp, receiveMessage, sendMessage, socketpair } from "../../src/sys/socket.ts";
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
