/** Signals to all that lives in a cgroup. */
import { exists } from "../sys/file.ts";
import { sendSignal } from "../sys/process.ts";
import { SIGNALS } from "../sys/signal.ts";
import type { CgroupDriver } from "./driver.ts";
import { freeze, thaw, thawTree } from "./freezer.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { sleep } from "./tree.ts";

const { SIGKILL } = SIGNALS;

/** Whose processes get a signal. */
export interface KillTarget {
  driver: CgroupDriver;
  /** All that live there at the moment. */
  pids: () => number[];
}

/** Sends a signal to every process of a cgroup and those below it. If it was frozen, it is thawed. @throws {Error} */
export function killAll(signal: number, { driver, pids }: KillTarget): void {
  if (signal === SIGKILL && driver.killAtOnce()) return;
  const freezer = driver.hierarchyOf("freezer");
  const held = freezer !== undefined && tryFreeze(freezer);
  // While frozen, none can fork away from the signal. Otherwise go after them.
  const rounds = held || signal !== SIGKILL ? 1 : 100;
  for (let round = 0; round < rounds; round++) {
    const found = pids();
    // To the kernel, process 0 is our own process group.
    for (const pid of found) if (pid > 0) sendSignal(pid, signal);
    if (found.length === 0) break;
    if (round > 0) sleep(round);
  }
  if (freezer === undefined) return;
  if (signal !== SIGKILL) {
    if (held) thaw(freezer);
  } else if (exists(freezer.directory)) thawTree(freezer);
}

function tryFreeze(freezer: CgroupHierarchy): boolean {
  try {
    freeze(freezer);
    return true;
  } catch {
    return false;
  }
}
