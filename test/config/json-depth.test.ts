/** Depth is told right whatever strings, escapes and neighbours there are. */
import { describe, expect, test } from "vitest";
import { DEEPEST, isTooDeep } from "../../src/config/json-depth.ts";

const nested = (depth: number, inside = "") => `${"[".repeat(depth)}${inside}${"]".repeat(depth)}`;
const mixed = (depth: number) => `${'{"a":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`;

describe("isTooDeep", () => {
  test.each<[string, string]>([
    ["the deepest that is read", nested(DEEPEST)],
    ["objects and arrays", mixed(DEEPEST)],
    ["many arrays side by side", `[${"[],".repeat(50_000)}[]]`],
    ["many such nests side by side", `[${`${nested(DEEPEST - 1)},`.repeat(20)}0]`],
    ["brackets in strings", `["${"[".repeat(5000)}"]`],
    ["escaped quotes before brackets", `["\\"${"[{".repeat(5000)}\\"", "\\\\"]`],
    ["names of brackets", `{${'"[[":0,'.repeat(5000)}"]":0}`],
  ])("is false of %s", (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(isTooDeep(text)).toBe(false);
  });

  test.each<[string, string]>([
    ["one more", nested(DEEPEST + 1)],
    ["objects and arrays", mixed(DEEPEST + 2)],
    ["a nest after many arrays", `[${"[],".repeat(50_000)}${nested(DEEPEST)}]`],
    ["a nest after closing brackets in strings", `["${"]".repeat(5000)}", "\\"]", ${nested(DEEPEST)}]`],
    ["a nest with shallow ones in it", `${"[[],".repeat(DEEPEST + 1)}0${"]".repeat(DEEPEST + 1)}`],
  ])("is true of %s", (_, text) => {
    expect(() => JSON.parse(text)).not.toThrow();
    expect(isTooDeep(text)).toBe(true);
  });
});

test.each([["\\\\"], ['\\"'], ["["], ["x"], ['","']])(
  "a text longer than is looked at at a time is put together right (%s)",
  (filler) => {
    for (let shift = 0; shift < 3; shift++) {
      const before = `["${"y".repeat(shift)}${filler.repeat(600_000)}"`;
      const [good, bad] = [DEEPEST - 1, DEEPEST].map((depth) => `${before},${nested(depth)}]`) as [string, string];
      expect(() => JSON.parse(good)).not.toThrow();
      expect([isTooDeep(good), isTooDeep(bad)]).toEqual([false, true]);
    }
  },
);
