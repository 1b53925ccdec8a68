import { describe, expect, it } from "vitest";
import { SecretFinder } from "../../src/engine/secrets.ts";

const GUARD = 0xfedc_ba98_7654_3210n;
const RANDOM = new Uint8Array(BigUint64Array.of(0x1122_3344_5566_77ffn, GUARD).buffer);
const CODE = { start: 0x400000, end: 0x500000 };
const STACK = { start: 0x2000_0000_0000, end: 0x2000_0080_0000 };

/** As glibc mangles a pointer: XORed, and rotated to the left by 17 bits. */
function mangled(pointer: bigint): bigint {
  const word = pointer ^ GUARD;
  return BigInt.asUintN(64, (word << 17n) | (word >> 47n));
}

function search(...words: bigint[]) {
  const finder = new SecretFinder(RANDOM, [CODE], STACK);
  finder.search(new Uint8Array(BigUint64Array.from(words).buffer), 0x1000);
  return finder.found;
}

describe("secrets", () => {
  it("are the canary, of which the lowest byte is 0, and the guard; what they were made of, too", () => {
    expect(search(7n, 0x1122_3344_5566_7700n, 0x1122_3344_5566_77ffn, GUARD)).toEqual({
      canary: [0x1008, 0x1010],
      guard: [0x1018],
      mangled: [],
    });
  });

  it("are mangled pointers to code and to the stack, and no others", () => {
    expect(search(mangled(0x400010n), mangled(0x2000_0000_1000n), mangled(0x600000n), 0x400010n, 0n)).toEqual({
      canary: [],
      guard: [],
      mangled: [0x1000, 0x1008],
    });
  });

  it("are all three mangled words of a jmp_buf, whatever the frame pointer is", () => {
    const buffer = [11n, mangled(1n), 12n, 13n, 14n, 15n, mangled(0x2000_0000_1000n), mangled(0x400010n)];
    expect(search(...buffer).mangled.sort()).toEqual([0x1008, 0x1030, 0x1038]);
  });
});
