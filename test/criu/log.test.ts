import { expect, test } from "vitest";
import { lastError } from "../../src/criu/log.ts";

test.each([
  [
    "(00.1) Pre-dump\n(00.2) Error (criu/tty.c:12): tty: dangling\n(00.3) Error (criu/cr-dump.c:2098): Dumping FAILED.\n",
    "Error (criu/tty.c:12): tty: dangling",
  ],
  [
    "(00.3)      1: Error (criu/files.c:3): no file\n(00.3) Error (criu/cr-restore.c:5): Restoring FAILED.\n",
    "Error (criu/files.c:3): no file",
  ],
  ["(00.3) Error (criu/cr-restore.c:5): Restoring FAILED.\n", "Error (criu/cr-restore.c:5): Restoring FAILED."],
  ["(00.3) Warn  (criu/x.c:5): no Error\n", null],
  ["", null],
])("the last error of %j", (text, error) => {
  expect(lastError(text)).toBe(error);
});
