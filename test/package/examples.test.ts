import { expect, test } from "vitest";
import { examples } from "../support/examples.ts";

test("each example of the documents says whether it is run, and if not, why", () => {
  const all = examples();
  expect(all.filter(({ mark }) => mark !== "run" && !/^skip="[^"]{8,}"$/.test(mark))).toEqual([]);
  expect(all.filter(({ mark }) => mark === "run").length).toBeGreaterThanOrEqual(4);
});
