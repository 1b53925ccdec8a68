import { describe, expect, it } from "vitest";
import { planEnvironment } from "../../src/plan/environment.ts";

describe("planEnvironment", () => {
  it("keeps the last value of a name, at its place", () => {
    expect(planEnvironment(["A=1", "B=2", "A=3"]).variables).toEqual(["B=2", "A=3"]);
  });

  it("keeps empty values, and values with an equals sign or a line break", () => {
    const env = ["EMPTY=", "ARGS=a=b", "LINES=a\nb"];
    expect(planEnvironment(env).variables).toEqual(env);
  });

  it.each([
    ["missing", ["A=1"], true, ["A=1"]],
    ["empty", ["HOME=", "A=1"], true, ["A=1"]],
    ["empty at last", ["HOME=/x", "HOME="], true, []],
    ["set", ["HOME=/x"], false, ["HOME=/x"]],
    ["set at last", ["HOME=", "HOME=/x"], false, ["HOME=/x"]],
  ])("says whether HOME is to be looked up: %s", (_, env, homeMissing, variables) => {
    expect(planEnvironment(env)).toMatchObject({ homeMissing, variables });
  });

  it("takes the last PATH for the lookup, and knows when there is none", () => {
    expect(planEnvironment(["PATH=/a", "PATH=/b:/c"]).path).toBe("/b:/c");
    expect(planEnvironment(["PATH="]).path).toBe("");
    expect(planEnvironment([]).path).toBeNull();
  });

  it.each([
    ["NAME", "invalid environment variable: missing '='"],
    ["", "invalid environment variable: missing '='"],
    ["=value", "invalid environment variable: name cannot be empty"],
    ["A=1\0", 'invalid environment variable "A": contains nul byte (\\x00)'],
  ])("refuses %j", (entry, message) => {
    expect(() => planEnvironment(["B=2", entry])).toThrow(message);
  });
});
