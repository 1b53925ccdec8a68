/** Stopping all processes of a cgroup, and letting them go on. */
import { childCgroups, readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { monotonicTime } from "../sys/clock.ts";
import { hasErrno } from "../sys/error.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { sleep } from "./tree.ts";

/** Milliseconds after which a v2 cgroup that will not freeze is given up: a process in an uninterruptible sleep stops it. */
const FREEZE_TIMEOUT = 10_000;

/**
 * Freezes, and waits until it is done.
 * @throws {Error} when it will not freeze; it is thawed again then
 */
export function freeze(hierarchy: CgroupHierarchy): void {
  try {
    if (hierarchy.version === 1) freezeV1(hierarchy.directory);
    else freezeV2(hierarchy.directory);
  } catch (error) {
    try {
      thaw(hierarchy);
    } catch {}
    throw error;
  }
}

/** @throws {SyscallError} */
export function thaw({ version, directory }: CgroupHierarchy): void {
  if (version === 1) writeCgroupFile(directory, "freezer.state", "THAWED");
  else writeCgroupFile(directory, "cgroup.freeze", "0");
}

/**
 * Does something while nothing of a cgroup runs. One that was frozen before stays so.
 * @throws {Error} when it will not freeze: nothing is done then
 */
export function whileFrozen<T>(hierarchy: CgroupHierarchy, act: () => T): T {
  if (isFrozen(hierarchy)) return act();
  freeze(hierarchy);
  try {
    return act();
  } finally {
    thawIfThere(hierarchy);
  }
}

/** Thaws a cgroup that may be gone meanwhile. @throws {SyscallError} */
export function thawIfThere(hierarchy: CgroupHierarchy): void {
  try {
    thaw(hierarchy);
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
  }
}

/**
 * Thaws a cgroup and all below it, whoever has frozen them: to v1, a frozen process that is killed does not end before.
 * What is gone meanwhile is none to worry about.
 * @throws {SyscallError}
 */
export function thawTree(hierarchy: CgroupHierarchy): void {
  thawIfThere(hierarchy);
  const { directory } = hierarchy;
  for (const name of childCgroups(directory) ?? []) thawTree({ ...hierarchy, directory: `${directory}/${name}` });
}

/** Whether it is frozen, itself and not by an ancestor. False when there is no such cgroup, or no freezer. */
export function isFrozen({ version, directory }: CgroupHierarchy): boolean {
  try {
    if (version === 1) return isFrozenV1(directory);
    return readCgroupFile(directory, "cgroup.freeze").trim() === "1" && isFrozenV2(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return false;
    throw error;
  }
}

/**
 * While processes appear in the cgroup, by fork or by joining, the v1 freezer can stay in FREEZING for good, and has to
 * be told again. A thaw and a pause now and then let it come to an end on slow machines too.
 * @see linux/Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst
 */
function freezeV1(directory: string): void {
  for (let attempt = 1; attempt <= 1000; attempt++) {
    if (attempt % 50 === 0) {
      writeCgroupFile(directory, "freezer.state", "THAWED");
      sleep(10);
    }
    writeCgroupFile(directory, "freezer.state", "FROZEN");
    if (attempt % 25 === 0) sleep(0.01);
    const state = readCgroupFile(directory, "freezer.state").trim();
    if (state === "FROZEN") return;
    if (state !== "FREEZING") throw new Error(`unexpected state ${state} while freezing`);
  }
  throw new Error(`unable to freeze ${directory}`);
}

/** One that is about to freeze counts, too: a process in an uninterruptible sleep may keep it from that for ever. */
function isFrozenV1(directory: string): boolean {
  if (readCgroupFile(directory, "freezer.state").trim() === "THAWED") return false;
  return readCgroupFile(directory, "freezer.self_freezing").trim() === "1";
}

function freezeV2(directory: string): void {
  writeCgroupFile(directory, "cgroup.freeze", "1");
  const deadline = monotonicTime() + FREEZE_TIMEOUT;
  for (let delay = 0.1; !isFrozenV2(directory); delay = Math.min(delay * 2, 10)) {
    if (monotonicTime() > deadline) throw new Error(`timeout waiting for the cgroup ${directory} to freeze`);
    sleep(delay);
  }
}

function isFrozenV2(directory: string): boolean {
  return readCgroupFile(directory, "cgroup.events").includes("frozen 1");
}
