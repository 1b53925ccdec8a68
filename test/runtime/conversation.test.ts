import { expect, test } from "vitest";
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import { Conversation } from "../../src/runtime/conversation.ts";
import type { Logger } from "../../src/runtime/options.ts";
import { socketpair } from "../../src/sys/socket.ts";

const log: Logger = { tracing: false, debug() {}, info() {}, warn() {}, hold() {}, release() {} } as Logger;

/** A conversation, and the process's end of its line. */
function converse() {
  const [ours, theirs] = socketpair();
  const conversation = new Conversation({ pid: 1, channel: new Channel(ours) }, null, log);
  return { conversation, process: new Channel<InitMessage, ParentMessage>(theirs) };
}

const refuse = () => {
  throw new Error("nothing was asked");
};

test("a process hears that it may go on when the conversation ends", () => {
  const { conversation, process } = converse();
  process.send({ type: "ready" });
  conversation.until("ready", refuse);
  conversation.close();
  expect(process.receive()?.message).toEqual({ type: "go" });
  expect(process.receive()).toBeNull();
});

test("or before it asks, and then once", () => {
  const { conversation, process } = converse();
  conversation.allow();
  expect(process.expect("go")?.message).toEqual({ type: "go" });
  process.send({ type: "ready" });
  conversation.until("ready", refuse);
  conversation.close();
  expect(process.receive()).toBeNull();
});

test("nor is it lost when the process has not read that it may go on", () => {
  const { conversation, process } = converse();
  conversation.allow();
  process.send({ type: "error", message: "no such file" });
  process.close();
  expect(() => conversation.until("ready", refuse)).toThrow("unable to start container process: no such file");
});

test("what a process says before it ends is not lost when it is allowed too late", () => {
  const { conversation, process } = converse();
  process.send({ type: "error", message: "no such file" });
  process.close();
  conversation.allow();
  expect(() => conversation.until("ready", refuse)).toThrow("unable to start container process: no such file");
});
