import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeAll } from "../../src/sys/standard-streams.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-streams-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

test("a text larger than a pipe that does not block arrives whole", async () => {
  const [fifo, copy] = [join(directory, "fifo"), join(directory, "copy")];
  execFileSync("mkfifo", [fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const text = "0123456789abcdef".repeat(1 << 15);
  const reader = spawn("sh", ["-c", `head -c ${text.length} < ${fifo} > ${copy}`]);
  writeAll(fd, text);
  await once(reader, "close");
  closeSync(fd);
  expect(readFileSync(copy, "utf8")).toBe(text);
});

test("a descriptor that cannot be written is an error", () => {
  const fd = openSync(directory, constants.O_RDONLY);
  expect(() => writeAll(fd, "x")).toThrow("EBADF");
  closeSync(fd);
});
