/** runtime.md, "State" and "Query State". */
import { expect } from "vitest";
import { check } from "../harness/check.ts";

check("runtime/query-state-operation-generate-error-provided", "state without an id is an error", async (subject) => {
  await subject.refused(["state"]);
});

check(
  "runtime/query-state-attempting-query-does-exist",
  "state of a container that does not exist is an error",
  async (subject) => {
    await subject.refused(["state", subject.newId()]);
  },
);

check("runtime/state-id-s-id", "state names the container's id", async (subject) => {
  const id = await subject.create();
  expect((await subject.state(id)).id).toBe(id);
});
