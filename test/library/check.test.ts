import { expect, test } from "vitest";
import { build, pull, run } from "../../src/library/index.ts";

/** What a program without types may call them with. */
const untyped = { run, pull, build } as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

test.each([
  ["run", [], "run: options: an object is expected, not undefined"],
  ["run", [42], "run: options: an object is expected, not 42"],
  ["run", [{}], "run: one of `image` and `bundle` is expected"],
  ["run", [{ image: "a", bundle: "b" }], "run: one of `image` and `bundle` is expected"],
  ["run", [{ bundle: 5 }], "run: bundle: a string is expected, not 5"],
  ["run", [{ image: "a", args: "true" }], 'run: args: an array of strings is expected, not "true"'],
  ["run", [{ image: "a", env: { N: 1 } }], 'run: env: an object of strings is expected, not {"N":1}'],
  ["run", [{ image: "a", env: ["N=1"] }], "run: env: an object of strings is expected"],
  ["run", [{ image: "a", volumes: ["data:/data"] }], "run: volumes: an array of objects is expected"],
  ["pull", [5], "pull: reference: a string that is not empty is expected, not 5"],
  ["pull", [""], "pull: reference"],
  ["build", [{}], "build: context: a string that is not empty is expected, not undefined"],
  ["build", ["."], "build: options: an object is expected"],
])("%s(%j) is refused before anything is called", async (name, args, words) => {
  const refused = untyped[name]?.(...args);
  await expect(refused).rejects.toThrow(TypeError);
  await expect(refused).rejects.toThrow(words);
});
