import { expect, test } from "vitest";
import { findJsonError } from "../../src/config/json-error.ts";

test.each<[string, number, number, RegExp]>([
  ['{"a": }', 1, 7, /expected a value, found "}"/],
  ['{\n  "a": 1\n  "b": 2\n}', 3, 3, /expected , or }, found "\\""/],
  ['{"a": 1,}', 1, 9, /there is a comma before }/],
  ["[1, 2,\n]", 2, 1, /there is a comma before ]/],
  ["{a: 1}", 1, 2, /expected a name in double quotes/],
  ['{"a" 1}', 1, 6, /expected :/],
  ['{"a": "b}', 1, 7, /the string has no end/],
  ['{"a": "b\n"}', 1, 7, /the string has no end/],
  ['{"a": "\\x"}', 1, 8, /unknown escape/],
  ['{"a": "\t"}', 1, 8, /control character/],
  ['{"a": 1', 1, 8, /expected , or }, found the end/],
  ['{"a": 01}', 1, 8, /expected , or }/],
  ['{"a": tru}', 1, 7, /expected a value/],
  ["{} {}", 1, 4, /the document has ended before/],
  ["", 1, 1, /expected a value, found the end/],
  ["// comment\n{}", 1, 1, /expected a value, found "\/"/],
  ["\ufeff{}", 1, 1, /expected a value/],
])("%j stops being JSON at line %i, column %i", (text, line, column, problem) => {
  expect(() => JSON.parse(text)).toThrow();
  const found = findJsonError(text);
  expect([found.line, found.column]).toEqual([line, column]);
  expect(found.problem).toMatch(problem);
});
