import { describe, expect, it } from "vitest";
import { answerNewCalls } from "../../src/seccomp/enosys.ts";
import { answer } from "./interpreter.ts";

const X86_64 = 0xc000003e;
const X86 = 0x40000003;
const ARM = 0xc00000b7;
const X32_BIT = 0x40000000;
const ENOSYS = 0x00050000 + 38;
const FILTER = 0x00050000 + 1;

/** A filter that answers EPERM to everything. */
const filter = Buffer.from([0x06, 0, 0, 0, 1, 0, 5, 0]);

describe("answerNewCalls", () => {
  it("leaves a filter alone where no call is known", () => {
    expect(answerNewCalls(filter, [])).toBe(filter);
  });

  it.each([
    ["the newest call goes to the filter", X86_64, 400, FILTER],
    ["a newer one gets ENOSYS", X86_64, 401, ENOSYS],
    ["the largest number gets ENOSYS", X86_64, X32_BIT - 1, ENOSYS],
    ["x32's newest call goes to the filter", X86_64, X32_BIT + 500, FILTER],
    ["x32's newer one gets ENOSYS", X86_64, X32_BIT + 501, ENOSYS],
    ["another architecture has a newest call of its own", X86, 450, FILTER],
    ["and newer ones", X86, 451, ENOSYS],
    ["an architecture that is not listed goes to the filter", ARM, 9999, FILTER],
    ["-1, which a tracer sets, is an x32 number to it", X86_64, 0xffffffff, ENOSYS],
  ])("%s", (_, architecture, number, expected) => {
    const program = answerNewCalls(filter, [
      { architecture: X86_64, number: 400, x32: X32_BIT + 500 },
      { architecture: X86, number: 450 },
    ]);
    expect(answer(program, { architecture, number })).toBe(expected);
  });

  it("leaves x32's numbers to the filter where x32 is not listed: libseccomp kills them", () => {
    const program = answerNewCalls(filter, [{ architecture: X86_64, number: 400 }]);
    expect(answer(program, { architecture: X86_64, number: X32_BIT + 1 })).toBe(FILTER);
  });
});
