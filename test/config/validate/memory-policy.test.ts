/** `linux.memoryPolicy`. */
import { describe, test } from "vitest";
import type { Linux } from "../../../src/config/types.ts";
import { accepted, onLinux, refused } from "../support/judge.ts";

describe("memoryPolicy", () => {
  test.each<[Linux["memoryPolicy"] & object, string, RegExp]>([
    [{ mode: "MPOL_DEFAULT", nodes: "0-7" }, "/nodes", /mode requires 0 nodes but got 8/],
    [{ mode: "MPOL_LOCAL", nodes: "1" }, "/nodes", /mode requires 0 nodes but got 1/],
    [{ mode: "MPOL_BIND" }, "/nodes", /at least one node/],
    [{ mode: "MPOL_INTERLEAVE", nodes: "" }, "/nodes", /at least one node/],
    [{ mode: "MPOL_BIND", nodes: "0-9876543210", flags: [] }, "/nodes", /invalid memory policy node/],
    [{ mode: "MPOL_BIND", nodes: "x" }, "/nodes", /invalid memory policy node/],
    [
      { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"] },
      "/flags",
      /invalid memory policy flag/,
    ],
  ])("%j is refused", (memoryPolicy, pointer, rule) =>
    refused(onLinux({ memoryPolicy }), `/linux/memoryPolicy${pointer}`, rule),
  );
  test.each<Linux["memoryPolicy"] & object>([
    { mode: "MPOL_DEFAULT" },
    { mode: "MPOL_PREFERRED" },
    { mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_RELATIVE_NODES"] },
    { mode: "MPOL_WEIGHTED_INTERLEAVE", nodes: "0-1" },
  ])("%j is accepted", (memoryPolicy) => accepted(onLinux({ memoryPolicy })));
});
