/** `hooks`. */
import { describe, test } from "vitest";
import { accepted, refused } from "../support/judge.ts";

describe("hooks", () => {
  test.each<[object, string, RegExp]>([
    [{ prestart: [{ path: "/x" }, { path: "x" }] }, "/hooks/prestart/1/path", /absolute/],
    [{ poststop: [{ path: "" }] }, "/hooks/poststop/0/path", /absolute/],
    [{ poststart: [{ path: "/x\0" }] }, "/hooks/poststart/0/path", /null byte/],
    [{ createContainer: [{ path: "/x", args: ["\0"] }] }, "/hooks/createContainer/0/args/0", /null byte/],
    [{ startContainer: [{ path: "/x", env: ["A=\0"] }] }, "/hooks/startContainer/0/env/0", /null byte/],
  ])("%j is refused", (hooks, pointer, rule) => refused((spec) => void Object.assign(spec, { hooks }), pointer, rule));
  test("a kind that is none is ignored", () => accepted((spec) => void Object.assign(spec, { hooks: { later: "x" } })));
});
