/** Signals to all that lives in a cgroup. */
import { sendSignal } from "../sys/process.ts";
import { SIGNALS } from "../sys/signal.ts";
import type { CgroupDriver } from "./driver.ts";
import { freeze, thawIfThere, thawTree } from "./freezer.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { sleep } from "./tree.ts";

const { SIGKILL } = SIGNALS;

/** Whose processes get a signal. */
export interface KillTarget {
  driver: CgroupDriver;
  /** All that live there at the moment. */
  pids: () => number[];
}

/**
 * Sends a signal to every process of a cgroup and those below it. If it was frozen, it is thawed; so it is when something goes wrong.
 * @throws {Error} also when one process could not be told: the others have been
 */
export function killAll(signal: number, target: KillTarget): void {
  const { driver } = target;
  if (signal === SIGKILL && driver.killAtOnce()) return;
  const freezer = driver.hierarchyOf("freezer");
  const held = freezer !== undefined && tryFreeze(freezer);
  try {
    // While frozen, none can fork away from the signal. Otherwise go after them.
    signalEach(signal, target, held || signal !== SIGKILL ? 1 : 100);
  } finally {
    if (freezer !== undefined && signal === SIGKILL) thawTree(freezer);
    else if (held) thawIfThere(freezer);
  }
}

/** @param rounds how often to look again whether somebody is left @throws {SyscallError} the first, when all have had their turn */
function signalEach(signal: number, { pids }: KillTarget, rounds: number): void {
  let failure: unknown;
  for (let round = 0; round < rounds; round++) {
    const found = pids();
    for (const pid of found) {
      // To the kernel, process 0 is our own process group.
      if (pid === 0) continue;
      try {
        sendSignal(pid, signal);
      } catch (error) {
        failure ??= error;
      }
    }
    if (found.length === 0 || failure !== undefined) break;
    if (round > 0) sleep(round);
  }
  if (failure !== undefined) throw failure;
}

function tryFreeze(freezer: CgroupHierarchy): boolean {
  try {
    freeze(freezer);
    return true;
  } catch {
    return false;
  }
}
