import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { O, open } from "../../src/sys/fd.ts";
import { lockFile, lockOwner } from "../../src/sys/record-lock.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-lock-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

it("finds no owner of a file that nobody has locked, and none in the asking process", () => {
  spawnSync("mkfifo", [join(directory, "fifo")]);
  using fifo = open(join(directory, "fifo"), O.RDWR);
  expect(lockOwner(fifo.number)).toBeNull();
  lockFile(fifo.number);
  // A process's own lock is in nobody's way but others'.
  expect(lockOwner(fifo.number)).toBeNull();
});
