import { describe, expect, test } from "vitest";
import { environmentIn } from "../../src/sys/environment.ts";
import { encode } from "../../src/sys/text.ts";

const environment = (...texts: string[]) => environmentIn(encode(texts.map((text) => `${text}\0`).join("")));

describe("an environment that stays in the memory it came in", () => {
  test("has each variable by its name", () => {
    const variables = environment("PATH=/bin:/sbin", "EMPTY=", "EQUALS=a=b", "PATHS=x");
    expect(variables["PATH"]).toBe("/bin:/sbin");
    expect(variables["EMPTY"]).toBe("");
    expect(variables["EQUALS"]).toBe("a=b");
    expect(variables["PAT"]).toBeUndefined();
    expect("PATHS" in variables).toBe(true);
    expect("PATHSX" in variables).toBe(false);
    expect({ ...variables }).toEqual({ PATH: "/bin:/sbin", EMPTY: "", EQUALS: "a=b", PATHS: "x" });
  });

  test("has the first of two, as getenv(3) does, and lists its name once", () => {
    const variables = environment("A=1", "B=2", "A=3");
    expect(variables["A"]).toBe("1");
    expect(Object.entries(variables)).toEqual([
      ["A", "1"],
      ["B", "2"],
    ]);
  });

  test("passes over what is no variable", () => {
    expect(Object.keys(environment("nothing", "=value", "A=1"))).toEqual(["A"]);
    expect(Object.keys(environment())).toEqual([]);
  });

  test("keeps names and values that are not UTF-8", () => {
    const variables = environmentIn(Uint8Array.of(0x4e, 0xff, 0x3d, 0xfe, 0));
    expect(Object.entries(variables)).toEqual([["N\udcff", "\udcfe"]]);
  });

  test("deletes every variable of a name, and overwrites it", () => {
    const bytes = encode("A=1\0SECRET=xyz\0B=2\0SECRET=uvw\0");
    const variables = environmentIn(bytes);
    expect(delete variables["SECRET"]).toBe(true);
    expect({ ...variables }).toEqual({ A: "1", B: "2" });
    expect(bytes).not.toContain("x".charCodeAt(0));
    expect(bytes).not.toContain("u".charCodeAt(0));
    expect(delete variables["NONE"]).toBe(true);
  });

  test("sets a variable, whichever there was", () => {
    const variables = environment("A=1", "B=2");
    variables["A"] = "longer than before";
    variables["C"] = "3";
    expect({ ...variables }).toEqual({ B: "2", A: "longer than before", C: "3" });
  });

  test("stays as it is for what are no names", () => {
    const variables = environment("A=1") as Record<string | symbol, string>;
    expect(variables[Symbol.iterator]).toBeUndefined();
    expect(Symbol.iterator in variables).toBe(false);
  });
});
