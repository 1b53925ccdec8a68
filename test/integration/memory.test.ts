/** What a container costs that has been created and waits for `start`. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { cannotRun, makeBundle, newId, state, succeed, useContainers } from "./harness.ts";

useContainers();

test.skipIf(cannotRun() !== null)("an init that waits for start has at most 4 MB of its own", () => {
  const id = newId();
  succeed(["create", "--bundle", makeBundle("true").path, id]);
  const rollup = readFileSync(`/proc/${state(id).pid}/smaps_rollup`, "utf8");
  const own = Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024;
  expect(own).toBeGreaterThan(0);
  expect(own).toBeLessThanOrEqual(4e6);
});
