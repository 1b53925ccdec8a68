import { expect, test } from "vitest";
import { shorten } from "../../src/sys/shorten.ts";

test.each([
  ["abcdefghij", 10, "abcdefghij"],
  ["abcdefghij", 9, "abcd…ghij"],
  ["abcdefghij", 8, "abcd…hij"],
  ["abcdefghij", 1, "…"],
  ["", 0, ""],
  ["a😀bcd😀e", 5, "a…e"],
  ["a😀bcd😀e", 7, "a😀…😀e"],
])("shorten(%j, %i) is %j", (text, most, shown) => expect(shorten(text, most)).toBe(shown));
