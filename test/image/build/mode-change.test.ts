/** What `--chmod` makes of permissions. */
import { expect, test } from "vitest";
import { parseModeChange } from "../../../src/image/build/plan/mode-change.ts";

test.each([
  ["644", 0o644],
  ["0", 0],
  ["07777", 0o7777],
  ["000644", 0o644],
  ["u+x", 0o744],
  ["a=rX", 0o444],
])("%s of a file of 644", (text, mode) => {
  expect(parseModeChange(text)(0o644, false)).toBe(mode);
});

test.each(["", "8", "10000", "-1", "a", "0o644", "u+q"])("%j is refused", (text) => {
  expect(() => parseModeChange(text)).toThrow(/^--chmod=.*octal digits/);
});
