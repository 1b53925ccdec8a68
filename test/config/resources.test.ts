/** What limits mean, by the version of the spec. */
import { describe, expect, test } from "vitest";
import { effectiveResources } from "../../src/config/resources.ts";

describe("a pids.limit of 0", () => {
  const pids = (ociVersion: string, limit = 0) =>
    effectiveResources({ ociVersion, linux: { resources: { pids: { limit }, cpu: { shares: 2 } } } });

  test.each(["1.0.0", "1.0.2-dev", "1.2.1", "1.2.99+dev", "1.3.0-rc.1", "0.9.0"])(
    "is none in %s: Debian's Podman means that, and its containers could not fork",
    (version) => expect(pids(version)).toEqual({ cpu: { shares: 2 } }),
  );

  test.each(["1.3.0", "1.3.1-dev", "1.3.0+x", "1.4.0-dev", "1.10.0", "2.0.0"])("is a limit in %s", (version) => {
    expect(pids(version)).toEqual({ pids: { limit: 0 }, cpu: { shares: 2 } });
  });

  test("alone is looked for", () => {
    expect(pids("1.0.0", -1).pids).toEqual({ limit: -1 });
    expect(pids("1.0.0", 5).pids).toEqual({ limit: 5 });
    expect(effectiveResources({ ociVersion: "1.0.0" })).toEqual({});
  });
});
