import { describe, expect, test } from "vitest";
import { TerminalRelay } from "../../src/runtime/terminal-relay.ts";
import { mustSyscall } from "../../src/sys/error.ts";
import { Fd, O } from "../../src/sys/fd.ts";
import { setNonBlocking, writeSome } from "../../src/sys/io.ts";
import { poll } from "../../src/sys/poll.ts";
import { getModes, openPty, openSlave, rawModes, setModes, withoutNewlineTranslation } from "../../src/sys/tty.ts";
import { readAll, whyNoTerminal } from "../support/terminal.ts";

const noTerminal = whyNoTerminal();

/** A pipe, both ends non-blocking. */
function pipe(): { read: Fd; write: Fd } {
  const ends = new Int32Array(2);
  mustSyscall("pipe2", ends, O.CLOEXEC | O.NONBLOCK);
  return { read: new Fd(ends[0] as number), write: new Fd(ends[1] as number) };
}

/** A relay between a terminal that changes nothing and two pipes. */
function setUp() {
  const { master, slave } = openPty("/dev/pts");
  setModes(slave.number, withoutNewlineTranslation(rawModes(getModes(slave.number))));
  setNonBlocking(slave.number);
  const stdin = pipe();
  const stdout = pipe();
  const relay = new TerminalRelay(master, stdin.read.number, stdout.write.number);
  return { master, slave, stdin, stdout, relay };
}

/** Turns until nothing is ready any more. @returns the number of turns, at most `limit` */
function settle(relay: TerminalRelay, limit = 10_000): number {
  for (let turns = 0; turns < limit; turns++) {
    const events = poll(relay.waits(), 0);
    if (events.every((seen) => seen === 0)) return turns;
    relay.handle(events);
  }
  return limit;
}

describe.skipIf(noTerminal !== null)(`the relay${noTerminal ? ` (skipped: ${noTerminal})` : ""}`, () => {
  test("carries stdin to the terminal and the terminal to stdout", () => {
    const { slave, stdin, stdout, relay } = setUp();
    writeSome(stdin.write.number, Buffer.from("in"));
    writeSome(slave.number, Buffer.from("out"));
    settle(relay);
    expect(readAll(slave.number)).toBe("in");
    expect(readAll(stdout.read.number)).toBe("out");
  });

  test("waits for a stdout that takes nothing, keeps the order and loses nothing", () => {
    const { slave, stdout, relay } = setUp();
    const all = Array.from({ length: 40_000 }, (_, index) => `${index}\n`).join("");
    let sent = 0;
    let seen = "";
    while (seen.length < all.length) {
      // The terminal takes some thousand bytes, the pipe 64 KiB: the test reads when both are full.
      const written = sent < all.length ? writeSome(slave.number, Buffer.from(all.slice(sent, sent + 500))) : null;
      sent += written ?? 0;
      settle(relay);
      if (written === null) seen += readAll(stdout.read.number);
    }
    expect(seen === all).toBe(true);
  });

  test("has nothing to wait for on a stdin at its end, and leaves the terminal open", () => {
    const { slave, stdin, stdout, relay } = setUp();
    stdin.write.close();
    expect(settle(relay)).toBe(1);
    writeSome(slave.number, Buffer.from("still here"));
    settle(relay);
    expect(readAll(stdout.read.number)).toBe("still here");
  });

  test("does not turn in circles while no process has the terminal open", () => {
    const { master, slave, stdout, relay } = setUp();
    slave.close();
    expect(settle(relay)).toBe(0);
    using again = openSlave(master);
    writeSome(again.number, Buffer.from("back"));
    settle(relay);
    expect(readAll(stdout.read.number)).toBe("back");
  });

  test("hangs the terminal up when stdout is gone", () => {
    const { slave, stdout, relay } = setUp();
    stdout.read.close();
    writeSome(slave.number, Buffer.from("unseen"));
    settle(relay);
    expect(() => writeSome(slave.number, Buffer.from("more"))).toThrow("EIO");
    expect(relay.waits().map(({ fd }) => fd)).toEqual([-1, -1]);
  });

  test("sizes nothing once it is hung up", () => {
    const { relay } = setUp();
    relay[Symbol.dispose]();
    expect(() => relay.resize({ rows: 1, columns: 1 })).not.toThrow();
  });

  describe("at the end of the process", () => {
    test("shows what is left", () => {
      const { slave, stdout, relay } = setUp();
      writeSome(slave.number, Buffer.from("last words"));
      relay.drain(-1, () => false);
      expect(readAll(stdout.read.number)).toBe("last words");
    });

    test("gives up on a stdout that takes nothing when it is asked to", () => {
      const { slave, stdout, relay } = setUp();
      while (writeSome(stdout.write.number, Buffer.alloc(4096)) !== null);
      writeSome(slave.number, Buffer.from("last words"));
      const interrupt = pipe();
      writeSome(interrupt.write.number, Buffer.from("!"));
      let asked = 0;
      relay.drain(interrupt.read.number, () => ++asked > 0);
      expect(asked).toBe(1);
    });
  });
});
