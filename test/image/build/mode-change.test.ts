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
  ["g=u", 0o664],
  ["u=rwx,go=u-w", 0o755],
  ["u+x-w", 0o544],
  ["+x", 0o755],
  ["o=", 0o640],
  ["go=o+w", 0o666],
  ["u+s,+t", 0o5644],
  ["a=r,u+w,g=u", 0o664],
])("%s of a file of 644", (text, mode) => {
  expect(parseModeChange(text)(0o644, false)).toBe(mode);
});

test.each(["", "8", "10000", "-1", "a", "0o644", "u+q", "u=gr", "g=ug", "u", "=,", "u+x,"])("%j is refused", (text) => {
  expect(() => parseModeChange(text)).toThrow(/^--chmod=.*octal digits/);
});
