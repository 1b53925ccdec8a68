import { spawnSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Driver, runCommand } from "../support/driver.ts";
import { Idler } from "./live.ts";

const needed = process.getuid?.() === 0 && spawnSync("setpriv", ["--version"]).status === 0;

describe.skipIf(!needed)("killing where there is no freezer, and some are others' (needs root and setpriv)", () => {
  let driver: Driver;
  const idlers: Idler[] = [];
  beforeAll(() => {
    driver = new Driver("test/cgroup/kill.driver.ts");
  });
  afterAll(() => driver[Symbol.dispose]());
  afterEach(() => {
    for (const idler of idlers.splice(0)) idler[Symbol.dispose]();
  });

  function start(whose: "own" | "other"): number {
    const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const idler = new Idler([...(whose === "own" ? [] : user), "sleep", "60"]);
    idlers.push(idler);
    return idler.pid;
  }

  /** By root without the right to kill what is another's. */
  function kill(...pids: number[]): { message: string | null; rounds: number; left: number[] } {
    const { stdout, stderr } = runCommand(["setpriv", "--bounding-set=-kill", ...driver.command(...pids.map(String))]);
    expect(stderr).toBe("");
    return JSON.parse(stdout);
  }

  test("all others are killed, also those that are found later, and it is said who was not", () => {
    const pids = (["own", "other", "own", "own", "other", "own"] as const).map(start);
    const [, first, , , second] = pids;
    const { message, left } = kill(...pids);
    expect(left).toEqual([first, second]);
    expect(message).toBe(`kill processes ${first}, ${second} with signal 9: EPERM: operation not permitted`);
  });

  test("who is alone in refusing is not waited for", () => {
    const other = start("other");
    const { message, rounds, left } = kill(other);
    expect(left).toEqual([other]);
    expect(message).toBe(`kill process ${other} with signal 9: EPERM: operation not permitted`);
    expect(rounds).toBe(2);
  });

  test("where nobody refuses, nothing is said", () => {
    expect(kill(start("own"), start("own"))).toMatchObject({ message: null, left: [] });
  });
});
