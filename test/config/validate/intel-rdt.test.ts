/** `linux.intelRdt`. */
import { describe, test } from "vitest";
import { accepted, onLinux, refused } from "../support/judge.ts";

describe("intelRdt", () => {
  test.each<[object, string, RegExp]>([
    [{ closID: "." }, "/closID", /invalid intelRdt.ClosID/],
    [{ closID: ".." }, "/closID", /invalid intelRdt.ClosID/],
    [{ closID: "a/b" }, "/closID", /invalid intelRdt.ClosID/],
    [{ l3CacheSchema: "L3:0=f\nL3:1=f" }, "/l3CacheSchema", /one line/],
    [{ schemata: ["MB:0=1", "a\nb"] }, "/schemata/1", /one line/],
  ])("%j is refused", (intelRdt, pointer, rule) => refused(onLinux({ intelRdt }), `/linux/intelRdt${pointer}`, rule));
  test.each([{ closID: "/" }, { closID: "guaranteed" }, {}])("%j is accepted", (intelRdt) =>
    accepted(onLinux({ intelRdt })),
  );
});
