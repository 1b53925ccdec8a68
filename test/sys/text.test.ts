import { describe, expect, it } from "vitest";
import { decode, encode, isEscaped } from "../../src/sys/text.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);

describe("bytes as text", () => {
  it("are UTF-8 where they can be", () => {
    for (const text of ["", "a", "€ 😀 \ufeff", "\ud7ff\ue000\u{10ffff}"]) {
      expect(decode(new TextEncoder().encode(text))).toBe(text);
      expect(encode(text)).toEqual(new TextEncoder().encode(text));
      expect(isEscaped(text)).toBe(false);
    }
  });

  it("that are none become lone surrogates, one each", () => {
    expect(decode(bytes(0x61, 0xff, 0x62))).toBe("a\udcffb");
    expect(decode(bytes(0x80, 0xc3))).toBe("\udc80\udcc3");
    // An overlong slash, a surrogate, what is beyond the last character, a character cut short.
    for (const wrong of [
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xe2, 0x82],
      [0xe0, 0x80, 0xaf],
    ]) {
      expect(decode(bytes(...wrong))).toBe(String.fromCharCode(...wrong.map((byte) => 0xdc00 + byte)));
    }
    expect(decode(bytes(0xe2, 0x82, 0xe2, 0x82, 0xac))).toBe("\udce2\udc82€");
    expect(isEscaped("a\udcff")).toBe(true);
  });

  it("come back as they were, whatever they are, also through JSON", () => {
    let seed = 1;
    const next = () => (seed = (seed * 48271) % 0x7fffffff);
    for (let times = 0; times < 2000; times++) {
      const sample = Uint8Array.from({ length: next() % 12 }, () =>
        next() % 3 === 0 ? next() % 256 : 0x80 + (next() % 128),
      );
      expect(encode(decode(sample))).toEqual(sample);
      expect(encode(JSON.parse(JSON.stringify(decode(sample))) as string)).toEqual(sample);
    }
  });

  it("have no other surrogates", () => {
    expect(encode("a\ud800b\udc7f")).toEqual(new TextEncoder().encode("a\ufffdb\ufffd"));
  });
});
