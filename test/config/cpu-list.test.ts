import { describe, expect, it } from "vitest";
import { parseCpuList } from "../../src/config/cpu-list.ts";

describe("parseCpuList", () => {
  it.each<[string, number[] | null]>([
    ["", null],
    ["0", [0]],
    ["0-3", [0, 1, 2, 3]],
    ["0,1,2-3", [0, 1, 2, 3]],
    [",0,1,", [0, 1]],
    ["1, 2, 1-2", [1, 2]],
    ["    , 1   , 3  ,  5-7,    ", [1, 3, 5, 6, 7]],
    ["127-129, 1", [127, 128, 129, 1]],
    ["65536", [65536]],
  ])("reads %j", (text, members) => expect(parseCpuList(text)).toEqual(members));

  it.each(["-", "1-", "-3", ",", " ", "54-53", "1 - 2", "1-2-3", "65537", "0-65537", "a", "0x1", "1.5"])(
    "refuses %j",
    (text) => expect(() => parseCpuList(text)).toThrow(),
  );
});
