/** References, against what Docker's own reading gives. */
import { expect, test } from "vitest";
import { familiarReference, formatReference, parseReference } from "../../../src/image/reference/reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

test.each([
  ["alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"],
  ["docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["index.docker.io/library/alpine", "docker.io/library/alpine:latest", "alpine:latest"],
  ["someone/tool:1", "docker.io/someone/tool:1", "someone/tool:1"],
  ["library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"],
  ["localhost/x", "localhost/x:latest", "localhost/x:latest"],
  ["localhost:5000/x/y:z", "localhost:5000/x/y:z", "localhost:5000/x/y:z"],
  ["host:5000/x", "host:5000/x:latest", "host:5000/x:latest"],
  ["MyReg/x", "MyReg/x:latest", "MyReg/x:latest"],
  ["docker_test.example/x", "docker.io/docker_test.example/x:latest", "docker_test.example/x:latest"],
  ["quay.io/a/b__c--d.e:V1_-.", "quay.io/a/b__c--d.e:V1_-.", "quay.io/a/b__c--d.e:V1_-."],
  ["[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"],
  [`alpine@${DIGEST}`, `docker.io/library/alpine@${DIGEST}`, `alpine@${DIGEST}`],
  [`alpine:3@${DIGEST}`, `docker.io/library/alpine:3@${DIGEST}`, `alpine:3@${DIGEST}`],
])("%s is %s, and is written %s", (text, full, familiar) => {
  const reference = parseReference(text);
  expect(formatReference(reference)).toBe(full);
  expect(familiarReference(reference)).toBe(familiar);
  expect(parseReference(full)).toEqual(reference);
});

test.each([
  ["", "is expected"],
  ["Alpine", "lower case"],
  ["foo/Bar", "lower case"],
  ["https://quay.io/a", "no scheme"],
  [HEX, "an image's id"],
  ["a:", "the tag"],
  [`a:${"t".repeat(129)}`, "the tag"],
  ["a:b c", "the tag"],
  ["a@sha256:12", "no digest"],
  [`a@md5:${HEX}`, "md5 is not"],
  [`a@sha256:${HEX.toUpperCase()}`, "no digest"],
  ["a@", "no digest"],
  ["-a", "lower-case letters"],
  ["a..b", "lower-case letters"],
  ["a___b", "lower-case letters"],
  ["a//b", "lower-case letters"],
  ["quay.io/", "lower-case letters"],
  ["a/../b", "lower-case letters"],
  ["a\nb", "lower-case letters"],
  ["-host.example:5000/a", "the repository"],
  ["localhost:0/a", "the port of"],
  ["127.0.0.1:99999/a", "the port of"],
  ["[::1]:65536/a", "the port of"],
  ["[::::]/a", "is no host"],
  ["999.999.999.999/a", "is no host"],
  [`quay.io/${"a".repeat(256)}`, "more than 255"],
])("%j is refused: %s", (text, why) => {
  expect(() => parseReference(text)).toThrow(why);
});
