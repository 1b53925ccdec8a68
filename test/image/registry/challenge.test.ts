/** Headers of registries. */
import { expect, test } from "vitest";
import { parseChallenges } from "../../../src/image/registry/challenge.ts";
import { retryAfter } from "../../../src/image/registry/retry.ts";

test.each([
  [
    'Bearer realm="https://a/t",service="s",scope="repository:a:pull"',
    [["bearer", { realm: "https://a/t", service: "s", scope: "repository:a:pull" }]],
  ],
  [
    'Bearer realm="https://a/t", scope="repository:a:pull,push repository:b:pull"',
    [["bearer", { realm: "https://a/t", scope: "repository:a:pull,push repository:b:pull" }]],
  ],
  [
    'Basic realm="x", Bearer realm="https://a"',
    [
      ["basic", { realm: "x" }],
      ["bearer", { realm: "https://a" }],
    ],
  ],
  ["Basic", [["basic", {}]]],
  [
    'Negotiate, Basic realm="x"',
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  [
    'Negotiate a87421000492aa874209af8bc028==, NTLM , Bearer realm="https://a",service=s',
    [
      ["negotiate", {}],
      ["ntlm", {}],
      ["bearer", { realm: "https://a", service: "s" }],
    ],
  ],
  ["bearer REALM=https://a/t,Service=s", [["bearer", { realm: "https://a/t", service: "s" }]]],
  ['Bearer realm="a\\"b"', [["bearer", { realm: 'a"b' }]]],
  ["", []],
  ["===", []],
])("%s", (header, expected) => {
  expect(parseChallenges(header).map(({ scheme, parameters }) => [scheme, { ...parameters }])).toEqual(expected);
});

test.each([
  ["0", 0],
  ["120", 120_000],
  ["Thu, 01 Jan 1970 00:00:20 GMT", 10_000],
  ["Thu, 01 Jan 1970 00:00:01 GMT", 0],
  ["soon", null],
  [undefined, null],
])("Retry-After: %s", (header, expected) => {
  expect(retryAfter(header, 10_000)).toBe(expected);
});
