import { describe, expect, it } from "vitest";
import { HIDING_VARIABLES, processorNeeded } from "../../src/engine/processor.ts";

describe("processorNeeded", () => {
  it.each([
    [["sse4_2", "avx2", "avx512f"], "AVX-512"],
    [["sse4_2", "avx2", "sha_ni"], "AVX2"],
    [["sse4_2"], "what this one has"],
  ])("of %j is %s", (features, needed) => expect(processorNeeded(new Set(features))).toBe(needed));
});

describe("HIDING_VARIABLES", () => {
  it("take bits of leaf 7 from what BoringSSL keeps of CPUID: EBX below, ECX above", () => {
    const [, taken = ""] = /^:~(0x[0-9a-f]+)$/.exec(HIDING_VARIABLES["OPENSSL_ia32cap"] ?? "") ?? [];
    const bits = [...BigInt(taken).toString(2)].toReversed().flatMap((digit, bit) => (digit === "1" ? [bit] : []));
    const [adx, sha, gfni, vaes, vpclmulqdq] = [19, 29, 32 + 8, 32 + 9, 32 + 10];
    expect(bits).toEqual([adx, sha, gfni, vaes, vpclmulqdq]);
  });
});
