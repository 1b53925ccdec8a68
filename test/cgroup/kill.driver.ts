/** Kills processes as where there is no freezer, and prints what came of it. A program of its own, which may lack the right to kill some. */
import { readFileSync } from "node:fs";
import { DisabledDriver } from "../../src/cgroup/disabled.ts";
import { killAll } from "../../src/cgroup/kill.ts";

const given = process.argv.slice(2).map(Number);
let rounds = 0;

/** As `cgroup.procs` has them: those that have not ended. Each look finds one more than the one before, as if it had been forked meanwhile. */
function pids(): number[] {
  rounds++;
  return given.slice(0, rounds + 1).filter(isThere);
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

let message: string | null = null;
try {
  killAll(9, { driver: new DisabledDriver(), pids });
} catch (error) {
  message = (error as Error).message;
}
console.log(JSON.stringify({ message, rounds, left: given.filter(isThere) }));
