/** Ignore files and patterns, with Docker's semantics. */
import { expect, test } from "vitest";
import { IgnoreRules } from "../../../src/image/build/paths/ignore.ts";
import { compilePattern } from "../../../src/image/build/paths/pattern.ts";

test.each<[patterns: string[], excluded: string[], kept: string[]]>([
  [
    ["/d1/", "/d2", "d3/", "d4", "/d5/f"],
    ["d1", "d1/x", "d2/a/b", "d3/q", "d4/z", "d5/f"],
    ["d5", "d5/g", "x/d4"],
  ],
  [["**.md"], ["a.md", "x/a.md", "x/y/a.md"], ["a.txt"]],
  [
    ["**/*.md", "!**/README.md"],
    ["a.md", "x/b.md"],
    ["README.md", "x/README.md"],
  ],
  [["*.md", "!README.md"], ["a.md"], ["README.md", "x/a.md"]],
  [["*.md", "!README*.md", "README-secret.md"], ["a.md", "README-secret.md"], ["README.md"]],
  [
    ["*", "!a/b"],
    ["a", "a/c", "x"],
    ["a/b", "a/b/c"],
  ],
  [["a/**/b"], ["a/b", "a/x/b", "a/x/y/b"], ["a/bc", "b"]],
  [["**"], ["a", "a/b"], []],
  [
    ["temp?", "*/temp*", "*/*/temp*"],
    ["temps", "a/temporary.txt", "a/b/temp"],
    ["temp", "temporary", "a/b/c/temp"],
  ],
  [
    ["[ab].txt", "a?c", "a\\*b", "[^x]y"],
    ["a.txt", "abc", "a*b", "zy"],
    ["c.txt", "axb", "xy"],
  ],
  [
    ["(a|b).txt", "{c,d}", "e.f"],
    ["(a|b).txt", "{c,d}", "e.f"],
    ["a.txt", "c", "exf"],
  ],
  [["A"], ["A"], ["a"]],
  [
    ["  padded  ", "# comment", "", ".", "./x/../y"],
    ["padded", "y"],
    ["# comment", "x"],
  ],
  [["\ufefffirst"], ["first"], []],
])("%j", (patterns, excluded, kept) => {
  const rules = IgnoreRules.parse(patterns.join("\r\n"), ".dockerignore");
  expect([...excluded, ...kept].filter((path) => rules.excludes(path))).toEqual(excluded);
});

test.each(["[a", "a\\", "[]", "[a-", "[z-a]"])("%j is no pattern, and the refusal says where", (pattern) => {
  expect(() => IgnoreRules.parse(`ok\n${pattern}\n`, ".dockerignore")).toThrow(/^\.dockerignore:2:1: invalid pattern/);
});

test("a set of characters never takes a slash", () => {
  expect(compilePattern("a[^b]c").matches("a/c")).toBe(false);
  expect(compilePattern("a[.-0]c").matches("a/c")).toBe(false);
});
