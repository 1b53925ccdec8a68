/** `ociVersion`. */
import { describe, expect, test } from "vitest";
import { accepted, type Edit, judge, refused } from "../support/judge.ts";

describe("ociVersion", () => {
  const version =
    (ociVersion: string): Edit =>
    (spec) =>
      void Object.assign(spec, { ociVersion });
  test.each(["1.0.0", "1.0.2-dev", "1.3.0", "1.99.0-rc.1+x", "1.1.0-0a.0+001"])("%s is supported", (text) =>
    accepted(version(text)),
  );
  test.each(["2.0.0", "10.0.0"])("%s is not", (text) => refused(version(text), "/ociVersion", /only versions 1\.x/));
  test.each(["", "1", "1.0", "v1.0.0", "latest", "1.00.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "1.0.0-01", "1.0.0+"])(
    "%j is no version",
    (text) => refused(version(text), "/ociVersion", /SemVer/),
  );
  test("a version before 1.0 is warned of", () => {
    expect(judge(version("0.5.0-dev"))).toEqual([expect.stringContaining("/ociVersion")]);
  });
});
