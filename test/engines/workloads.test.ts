/** The table of workloads by itself: no engine is started. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { compare } from "./compare.ts";
import { documented } from "./documented.ts";
import { ENGINES, type Engine } from "./engines.ts";
import { type Cell, type Report, table } from "./report.ts";
import type { Result } from "./session.ts";
import { inWords, PRELUDE, type Workload } from "./workload.ts";
import { WORKLOADS } from "./workloads/index.ts";

const DOCKER = ENGINES.find(({ name }) => name === "docker") as Engine;

function ran(stdout: string, rest: Partial<{ code: number | null; stderr: string }> = {}): Result {
  return { kind: "ran", seconds: 1, outcome: { code: 0, stderr: "", stdout, ...rest } };
}

function workload(expected: string, rest: Partial<Workload> = {}): Workload {
  return { name: "w", words: { common: "true" }, expected, ...rest };
}

describe("each workload", () => {
  test.each(WORKLOADS)("$name: has scripts that bash can read, and an expectation for each", ({ words, expected }) => {
    for (const script of Object.values(words)) {
      const { stderr } = spawnSync("bash", ["-n"], { input: `${PRELUDE}\n${script}`, encoding: "utf8" });
      expect(stderr).toBe("");
      if (/--name|--detach/.test(script)) expect(script).toContain("$id");
    }
    const engines = ENGINES.filter(({ speaks }) => inWords(words, speaks) !== undefined);
    expect(engines).not.toEqual([]);
    for (const { speaks } of engines) expect(inWords(expected, speaks)).toEqual(expect.stringMatching(/./));
  });

  test("has a name of its own, also in the names of its containers", () => {
    const names = WORKLOADS.map(({ name }) =>
      name
        .toLowerCase()
        .replaceAll(/[^a-z0-9]+/g, "-")
        .slice(0, 24),
    );
    expect(new Set(names).size).toBe(WORKLOADS.length);
  });
});

test("every engine has workloads in the short form", () => {
  for (const { name, speaks } of ENGINES) {
    const its = WORKLOADS.filter(({ short, words }) => short === true && inWords(words, speaks) !== undefined);
    expect({ name, count: its.length }).toEqual({ name, count: expect.any(Number) });
    expect(its, name).not.toEqual([]);
  }
});

describe("a cell", () => {
  const verdict = (one: Workload, ours: Result | null, runc: Result | null) =>
    compare(DOCKER, one, ours, runc)?.verdict;

  test("is the same when both print what is expected", () => {
    expect(verdict(workload("a\nb"), ran("a\nb\n"), ran("a \nb\n"))).toEqual({ kind: "same" });
  });

  test.each([
    ["another line", ran("a\nc\n"), 'line 2 is "c", not "b"'],
    ["a line too few", ran("a\n"), 'line 2 is missing, not "b"'],
    ["a line too many", ran("a\nb\nc"), 'line 3 is "c", not missing'],
    [
      "nothing",
      ran("", { stderr: "x\ntheir reason\n" }),
      'line 1 is "", not "a" (last line of stderr: "their reason")',
    ],
    ["no end", ran("a", { code: null }), 'did not end in time, after printing "a"'],
  ])("differs by %s, whichever runtime it is", (_, result, how) => {
    expect(verdict(workload("a\nb"), result, ran("a\nb"))).toEqual({ kind: "differs", how });
    expect(verdict(workload("a\nb"), ran("a\nb"), result)).toEqual({ kind: "differs", how: `with runc ${how}` });
  });

  test("takes what runc is known to do otherwise, and fails when it no longer does", () => {
    const known = workload("a", { runc: { expected: "b", because: "of a reason" } });
    expect(verdict(known, ran("a"), ran("b"))).toEqual({ kind: "same" });
    expect(verdict(known, ran("a"), ran("a"))).toMatchObject({ kind: "differs" });
  });

  test("is none for a workload that an engine does not have, and skipped with the reason", () => {
    expect(compare(DOCKER, workload("a"), null, null)).toBeNull();
    const skipped: Result = { kind: "skipped", reason: "why" };
    expect(verdict(workload("a"), skipped, skipped)).toEqual(skipped);
  });
});

test("the table shows both runtimes' results, what was skipped, and latencies with their target", () => {
  const outcome = { ok: true, seconds: 1, how: null };
  const cell: Cell = { engine: "e", workload: "w", verdict: { kind: "same" }, tsrunc: outcome, runc: outcome };
  const report: Report = {
    engines: [
      { name: "e", version: "1", skipped: null },
      { name: "f", version: null, skipped: "needs f" },
    ],
    workloads: ["w", "x", "y"],
    cells: [
      cell,
      { ...cell, workload: "x", tsrunc: { ...outcome, ok: false } },
      { ...cell, workload: "y", verdict: { kind: "skipped", reason: "why" }, tsrunc: null, runc: null },
    ],
    latency: [{ command: "e run", tsrunc: 100, runc: 125 }],
    differences: [],
  };
  expect(table(report).split("\n")).toEqual([
    "tsrunc / runc  e 1",
    "w              ok / ok",
    "x              DIFFERS / ok",
    "y              skipped",
    "",
    "skipped: f: needs f",
    "skipped under e: y: why",
    "e run: 100 ms, with runc 125 ms: 0.80 (<= 0.9: met)",
  ]);
});

test("what engines are configured with stands in docs/engines.md", () => {
  expect(documented("Podman", "toml")).toContain('tsrunc = ["/usr/local/bin/tsrunc"]');
  expect(JSON.parse(documented("Docker", "json"))).toHaveProperty("runtimes.tsrunc.path", "/usr/local/bin/tsrunc");
  expect(() => documented("Docker", "json", 7)).toThrow('docs/engines.md, "Docker": no block 8 in json');
});
