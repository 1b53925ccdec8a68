import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import { O, open } from "../../src/sys/fd.ts";
import { readLink } from "../../src/sys/file.ts";
import { socketpair } from "../../src/sys/socket.ts";

let parent: Channel<ParentMessage, InitMessage>;
let init: Channel<InitMessage, ParentMessage>;

beforeEach(() => {
  const [ours, theirs] = socketpair();
  parent = new Channel(ours);
  init = new Channel(theirs);
});

afterEach(() => {
  parent.close();
  init.close();
});

describe("Channel.send", () => {
  it("leaves out the middle of a text that is too long: its beginning names the step, its end the reason", () => {
    init.send({ type: "error", message: `execute ${"x".repeat(280_000)}: argument list too long` });
    const message = parent.expect("error")?.message.message ?? "";
    expect(message).toMatch(/^execute x+…x+: argument list too long$/);
    expect(message.length).toBeLessThan(65536);
  });
});

describe("Channel.expect", () => {
  it("finds a message behind others, which are kept for who expects them", () => {
    parent.send({ type: "admitted", files: [{ path: "/cgroup", optional: true }] });
    parent.send({ type: "go" });
    using source = open("/dev/null", O.RDONLY);
    parent.send({ type: "source" }, [source.number]);
    const [fd] = init.expect("source")?.fds ?? [];
    expect(readLink(fd?.procPath ?? "")).toBe("/dev/null");
    fd?.close();
    expect(init.expect("go")?.message).toEqual({ type: "go" });
    expect(init.expect("admitted")?.message.files).toEqual([{ path: "/cgroup", optional: true }]);
  });

  it("finds none when the other end is gone, whatever else came", () => {
    parent.send({ type: "go" });
    parent.close();
    expect(init.expect("admitted")).toBeNull();
    expect(init.expect("go")).not.toBeNull();
    expect(init.expect("go")).toBeNull();
  });
});
