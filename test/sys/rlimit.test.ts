import { describe, expect, it } from "vitest";
import { getLimit, RLIM_INFINITY, rlimitNumber, setLimit } from "../../src/sys/rlimit.ts";

describe("rlimitNumber", () => {
  it.each([
    ["RLIMIT_CPU", 0],
    ["RLIMIT_NOFILE", 7],
    ["RLIMIT_RTTIME", 15],
  ])("%s is %s", (type, number) => expect(rlimitNumber(type)).toBe(number));

  it.each(["NOFILE", "RLIMIT_NOPE", "RLIMIT_", ""])("refuses %j", (type) => {
    expect(() => rlimitNumber(type)).toThrow(`invalid rlimit type: ${type}`);
  });
});

describe("setLimit", () => {
  it("sets what getLimit then reads", () => {
    const before = getLimit(0, "RLIMIT_CORE");
    setLimit(0, "RLIMIT_CORE", { soft: 0n, hard: before.hard });
    expect(getLimit(0, "RLIMIT_CORE")).toEqual({ soft: 0n, hard: before.hard });
    setLimit(0, "RLIMIT_CORE", before);
  });

  it("names the limit, its number and its values when the kernel refuses them", () => {
    expect(() => setLimit(0, "RLIMIT_CORE", { soft: RLIM_INFINITY, hard: 5n })).toThrow(
      "error setting rlimit type 4 (RLIMIT_CORE) to unlimited:5: EINVAL: invalid argument",
    );
  });
});
