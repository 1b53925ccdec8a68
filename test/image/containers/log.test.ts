/** The form of a log, and its two files. */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LogReader, LogWriter } from "../../../src/image/containers/log-file.ts";
import { LONGEST_LINE, LogEncoder, lastLines, parseLog } from "../../../src/image/containers/log-format.ts";
import { Scratch } from "../support.ts";

const TIME = "2026-01-02T03:04:05.678Z";
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

describe("lines", () => {
  test("are made of whole lines, however they come", () => {
    const encoder = new LogEncoder("stderr");
    expect(text(encoder.add(Buffer.from("on"), TIME))).toBe("");
    expect(encoder.isInLine).toBe(true);
    expect(text(encoder.add(Buffer.from("e\n\ntwo"), TIME))).toBe(`${TIME} stderr F one\n${TIME} stderr F \n`);
    expect(text(encoder.flush(TIME))).toBe(`${TIME} stderr P two\n`);
    expect(encoder.flush(TIME)).toHaveLength(0);
  });

  test("that are too long are cut, and whole again when they are read", () => {
    const long = Buffer.alloc(2 * LONGEST_LINE + 5, "x");
    const encoder = new LogEncoder("stdout");
    const encoded = encoder.add(Buffer.concat([long, Buffer.from("\n")]), TIME);
    const { lines, rest } = parseLog(encoded);
    expect(lines.map(({ complete }) => complete)).toEqual([false, false, true]);
    expect(Buffer.concat(lines.map((line) => line.text)).equals(long)).toBe(true);
    expect(rest).toHaveLength(0);
  });

  test("keep bytes that are no text", () => {
    const bytes = Buffer.from([0, 0xff, 0xfe, 0x80, 10]);
    expect(parseLog(new LogEncoder("stdout").add(bytes, TIME)).lines[0]?.text).toEqual(bytes.subarray(0, 4));
  });

  test("that are half written, or none of a log's, are left out", () => {
    const { lines, rest } = parseLog(Buffer.from(`garbage\n${TIME} stdout F good\n${TIME} std`));
    expect(lines.map((line) => text(line.text))).toEqual(["good"]);
    expect(text(rest)).toBe(`${TIME} std`);
  });

  test("are counted from the end, parts as one", () => {
    const { lines } = parseLog(
      Buffer.from(["F a", "P b", "P c", "F d", "P e"].map((line) => `${TIME} stdout ${line}\n`).join("")),
    );
    const last = (count: number) =>
      lastLines(lines, count)
        .map((line) => text(line.text))
        .join("");
    expect([0, 1, 2, 3, 9].map(last)).toEqual(["", "e", "bcde", "abcde", "abcde"]);
  });
});

describe("files", () => {
  const lines = (from: number, to: number) =>
    Buffer.from(Array.from({ length: to - from }, (_, index) => `line ${from + index}\n`).join(""));

  test("keep to the bound whatever is written at once, and end with what came last", () => {
    using scratch = new Scratch();
    const path = scratch.at("log");
    using log = new LogWriter(path, 4096);
    log.write(lines(0, 5000));
    log.write(lines(5000, 5001));
    expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThanOrEqual(4096);
    using reader = new LogReader(path);
    expect(text(reader.read())).toMatch(/^line \d+\n(line \d+\n)*line 4999\nline 5000\n$/);
  });

  test("are read on over a rotation", () => {
    using scratch = new Scratch();
    const path = scratch.at("log");
    using reader = new LogReader(path);
    expect(reader.read()).toHaveLength(0);
    using log = new LogWriter(path, 200);
    let read = "";
    for (let count = 0; count < 40; count++) {
      log.write(lines(count, count + 1));
      if (count % 3 === 0) read += text(reader.read());
    }
    expect(existsSync(`${path}.1`)).toBe(true);
    expect(read + text(reader.read())).toBe(text(lines(0, 40)));
  });

  test("that a killed writer left in a line go on with the next", () => {
    using scratch = new Scratch();
    const path = scratch.at("log");
    writeFileSync(path, "half");
    using log = new LogWriter(path, 4096);
    log.write(Buffer.from("whole\n"));
    using reader = new LogReader(path);
    expect(text(reader.read())).toBe("half\nwhole\n");
  });
});
