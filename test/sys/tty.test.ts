import { describe, expect, test } from "vitest";
import { writeSome } from "../../src/sys/io.ts";
import {
  getModes,
  isTerminal,
  openPty,
  openSlave,
  ptyNumber,
  rawModes,
  setControllingTerminal,
  setModes,
  setWindowSize,
  windowSize,
  withoutNewlineTranslation,
} from "../../src/sys/tty.ts";
import { openTerminal, readAll, until, whyNoTerminal } from "../support/terminal.ts";

const noTerminal = whyNoTerminal();

describe("openPty", () => {
  test("refuses a directory that is not on a devpts", () => {
    expect(() => openPty("/dev")).toThrow("/dev is not on a devpts");
  });

  test("says which directory is not there", () => {
    expect(() => openPty("/dev/none")).toThrow("open /dev/none: ENOENT");
  });
});

describe.skipIf(noTerminal !== null)(`a new terminal${noTerminal ? ` (skipped: ${noTerminal})` : ""}`, () => {
  test("carries what is written at one end to the other", () => {
    const { master, slave } = openTerminal();
    writeSome(slave.number, Buffer.from("out"));
    expect(readAll(master.number)).toBe("out");
  });

  test("is a terminal at both ends, and a file is none", () => {
    const { master, slave } = openTerminal();
    expect([isTerminal(master.number), isTerminal(slave.number)]).toEqual([true, true]);
    const error = /ENOTTY/;
    expect(() => getModes(notATerminal())).toThrow(error);
    expect(() => windowSize(notATerminal())).toThrow(error);
    expect(isTerminal(notATerminal())).toBe(false);
  });

  test("has a number of its own, and any number of slaves", () => {
    const first = openTerminal();
    const second = openTerminal();
    expect(ptyNumber(first.master)).not.toBe(ptyNumber(second.master));
    using again = openSlave(first.master);
    writeSome(again.number, Buffer.from("again"));
    expect(readAll(first.master.number)).toBe("again");
  });

  test("has the same size at both ends", () => {
    const { master, slave } = openTerminal();
    const size = { rows: 24, columns: 80, pixelWidth: 640, pixelHeight: 480 };
    setWindowSize(master.number, size);
    expect(windowSize(slave.number)).toEqual(size);
    setWindowSize(slave.number, { rows: 1, columns: 2 });
    expect(windowSize(master.number)).toEqual({ rows: 1, columns: 2, pixelWidth: 0, pixelHeight: 0 });
  });

  test("echoes what is typed, and ends lines with carriage return and newline", async () => {
    const { master, slave } = openTerminal();
    let seen = "";
    writeSome(master.number, Buffer.from("typed"));
    await until(() => {
      seen += readAll(master.number);
      return seen.length >= "typed".length;
    });
    writeSome(slave.number, Buffer.from("\n"));
    expect(seen + readAll(master.number)).toBe("typed\r\n");
  });

  test("does not echo in raw modes, but still returns the carriage", () => {
    const { master, slave } = openTerminal();
    setModes(slave.number, rawModes(getModes(slave.number)));
    writeSome(master.number, Buffer.from("\x03typed\r"));
    writeSome(slave.number, Buffer.from("\n"));
    expect(readAll(master.number)).toBe("\r\n");
    expect(readAll(slave.number)).toBe("\x03typed\r");
  });

  test("is as before with the modes that were read before", () => {
    const { slave } = openTerminal();
    const before = getModes(slave.number);
    setModes(slave.number, rawModes(before));
    expect(getModes(slave.number)).not.toEqual(before);
    setModes(slave.number, before);
    expect(getModes(slave.number)).toEqual(before);
  });

  test("leaves newlines as they are when asked to, from either end", () => {
    const { master, slave } = openTerminal();
    setModes(master.number, withoutNewlineTranslation(getModes(master.number)));
    writeSome(slave.number, Buffer.from("a\nb\n"));
    expect(readAll(master.number)).toBe("a\nb\n");
  });

  test("becomes the controlling terminal of a session's leader only", () => {
    const { slave } = openTerminal();
    expect(() => setControllingTerminal(slave.number)).toThrow(/controlling one of the session.*EPERM/);
  });
});

/** Standard input of a vitest worker: a pipe or /dev/null. */
function notATerminal(): number {
  return 0;
}
