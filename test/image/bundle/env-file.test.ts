import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readEnvFile } from "../../../src/image/bundle/env-file.ts";

const directory = mkdtempSync(join(tmpdir(), "tsrunc-env-file-"));
const path = join(directory, "env");
afterAll(() => rmSync(directory, { recursive: true }));

function read(content: string | Uint8Array): string[] {
  writeFileSync(path, content);
  return readEnvFile(path);
}

test("a variable a line, as it stands, between comments and empty lines", () => {
  expect(read("# of mine\n\nA=1\r\n  B=two words # and this\nC='quoted'\nD=\nE\nA=x=y")).toEqual([
    "A=1",
    "B=two words # and this",
    "C='quoted'",
    "D=",
    "E",
    "A=x=y",
  ]);
  expect(read("")).toEqual([]);
});

test.each([
  ["=x", /env:1: "" is no name/],
  ["A=1\nexport B=2", /env:2: "export B" is no name/],
  ["A=\0", /env:1: /],
  [new Uint8Array([65, 61, 255]), /env: is not text in UTF-8/],
])("%j is refused, with its line", (content, message) => {
  expect(() => read(content)).toThrow(message);
});

test("a file that is not there is named", () => {
  expect(() => readEnvFile(join(directory, "none"))).toThrow(/--env-file .*none: ENOENT/);
});
