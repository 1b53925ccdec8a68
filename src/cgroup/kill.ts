/** Signals to all that lives in a cgroup. */
import { sendSignal } from "../sys/process.ts";
import { SIGNALS } from "../sys/signal.ts";
import { SignalFailures } from "../sys/signal-failures.ts";
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
 * @throws {Error} also when some processes could not be told, which it names: the others have been
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

/** @param rounds how often to look again whether somebody is left @throws {SyscallError} for those that could not be told, when all have had their turn */
function signalEach(signal: number, { pids }: KillTarget, rounds: number): void {
  const failures = new SignalFailures(signal);
  for (let round = 0; round < rounds; round++) {
    // To the kernel, process 0 is our own process group.
    const found = pids().filter((pid) => pid !== 0);
    // Whoever could not be told is tried again as long as there are others to go after.
    if (found.every((pid) => failures.has(pid))) break;
    for (const pid of found) failures.try(pid, () => sendSignal(pid, signal));
    if (round > 0) sleep(round);
  }
  failures.throwIfAny();
}

function tryFreeze(freezer: CgroupHierarchy): boolean {
  try {
    freeze(freezer);
    return true;
  } catch {
    return false;
  }
}
