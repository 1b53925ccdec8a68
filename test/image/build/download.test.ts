/** The name that a file of a URL gets. */
import { expect, test } from "vitest";
import { nameOfUrl } from "../../../src/image/build/execute/download.ts";

test.each([
  ["http://h.example/a/x.tar.gz?q=1#f", "x.tar.gz"],
  ["HTTPS://h.example:8443/x%20y", "x y"],
  ["http://[::1]:80/x", "x"],
])("of %s is %j", (url, name) => {
  expect(nameOfUrl(url)).toBe(name);
});

test("where there is none, that of the destination is taken", () => {
  expect(nameOfUrl("http://h.example/", "name")).toBe("name");
  expect(nameOfUrl("http://h.example/a", "name")).toBe("a");
});

test.each([
  ["http://h.example:99999/x", /is no URL: .*a port from 1 to 65535/],
  ["http://h.example:0/x", /is no URL/],
  ["http://[zz]/x", /is no URL/],
  ["http://", /is no URL/],
  ["http://h.example", /no name of a file/],
  ["http://h.example/a/", /no name of a file/],
  ["http://h.example/..", /no name of a file/],
  ["http://h.example/%2e%2e", /no name of a file/],
  ["http://h.example/a%2fb", /no name of a file/],
  ["http://h.example/a%00b", /no name of a file/],
  ["http://h.example/100%", /has a "%" that begins no byte/],
  ["http://h.example/%ff", /has a "%" that begins no byte/],
])("there is none of %s, and the refusal names it", (url, words) => {
  expect(() => nameOfUrl(url)).toThrow(words);
  expect(() => nameOfUrl(url)).toThrow(url);
});
