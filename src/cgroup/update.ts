/** Limits of a container that runs already: what a change amounts to, and taking it back when a part of it fails. */

import type { Resources } from "../config/types.ts";
import { readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { dirname } from "../sys/path-names.ts";
import { applyStep } from "./apply.ts";
import type { CgroupDriver } from "./driver.ts";
import { isIdle, isShare } from "./resource-values.ts";
import { planResources, type WriteStep } from "./resources.ts";

/** A list of `resources` whose entries each stand for a device or a page size of their own. */
type Entries = readonly Record<string, unknown>[];

/**
 * The resources that a container has after a change. 0 and `""` mean "as it is", but for values where they mean something; lists are
 * merged by device or page size. Devices are not changed.
 */
export function mergeResources(former: Resources, change: Resources): Resources {
  const merged: Record<string, unknown> = { ...former };
  for (const [section, value] of Object.entries(change)) {
    if (section === "devices" || value === undefined) continue;
    merged[section] = Array.isArray(value)
      ? mergeEntries((merged[section] ?? []) as Entries, value)
      : mergeSection(section, (merged[section] ?? {}) as Record<string, unknown>, value as Record<string, unknown>);
  }
  const { memory } = merged as Resources;
  // Swap is set free with memory, where nothing else is said of it.
  if (memory?.swap && change.memory?.limit === -1 && !change.memory.swap) merged.memory = { ...memory, swap: -1 };
  return { ...merged, ...(givesShare(change) && !saysIdle(change) ? endIdle(merged) : {}) };
}

/** Whether resources give a share of CPU time, which an idle cgroup has no use of. */
export function givesShare({ cpu, unified }: Resources): boolean {
  return Boolean(cpu?.shares) || Object.keys(unified ?? {}).some(isShare);
}

function saysIdle({ cpu, unified }: Resources): boolean {
  return cpu?.idle !== undefined || unified?.["cpu.idle"] !== undefined;
}

/** A share that is asked for is to count: the cgroup is idle no more, as systemd has it of `CPUWeight`, too. */
function endIdle({ cpu, unified }: Resources): Resources {
  return {
    ...(cpu?.idle && { cpu: { ...cpu, idle: 0 } }),
    ...(isIdle(unified) && { unified: { ...unified, "cpu.idle": "0" } }),
  };
}

/** Values that are set also when they are 0. */
const zeroCounts = new Set(["cpu.idle", "cpu.burst", "memory.swappiness", "pids.limit"]);

function mergeSection(
  section: string,
  former: Record<string, unknown>,
  change: Record<string, unknown>,
): Record<string, unknown> {
  const merged = { ...former };
  for (const [name, value] of Object.entries(change)) {
    if (Array.isArray(value)) merged[name] = mergeEntries((former[name] ?? []) as Entries, value);
    else if (value === undefined || value === "" || (value === 0 && !zeroCounts.has(`${section}.${name}`))) continue;
    else merged[name] = value;
  }
  return merged;
}

function mergeEntries(former: Entries, change: Entries): Entries {
  const keyOf = ({ major, minor, pageSize, name }: Record<string, unknown>) => `${major}:${minor} ${pageSize} ${name}`;
  const merged = new Map(former.map((entry) => [keyOf(entry), entry]));
  for (const entry of change) merged.set(keyOf(entry), { ...merged.get(keyOf(entry)), ...entry });
  return [...merged.values()];
}

/**
 * What is to be written for a change: what it names, and what else of the former resources its values make sense with only. The kernel
 * takes a quota and its period together, forgets the share of a cgroup that is idle, and swap is counted with memory in config.json and
 * without it on v2.
 */
export function resourcesToSet(former: Resources, change: Resources): Resources {
  const { devices: _, ...named } = change;
  const merged = mergeResources(former, change);
  const toSet: Resources = { ...named };
  const { cpu, memory } = change;
  if (cpu !== undefined) {
    toSet.cpu = {
      ...cpu,
      ...(cpu.quota || cpu.period ? given(merged.cpu, ["quota", "period"]) : {}),
      ...(cpu.shares || cpu.idle !== undefined ? given(merged.cpu, ["shares", "idle"]) : {}),
    };
  }
  // Whichever of both said it: this one is written before any share.
  const wasIdle = former.cpu?.idle || isIdle(former.unified);
  if (wasIdle && givesShare(change) && !saysIdle(change)) toSet.cpu = { ...toSet.cpu, idle: 0 };
  if (memory?.limit || memory?.swap) toSet.memory = { ...memory, ...given(merged.memory, ["limit", "swap"]) };
  return toSet;
}

/** Those of some members that there are. */
function given<T extends object>(section: T | undefined, names: readonly (keyof T)[]): Partial<T> {
  const entries = names.map((name) => [name, section?.[name]] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** A value as it was before it was written over. */
interface FormerValue {
  directory: string;
  file: string;
  /** What was to be written. */
  next: string;
  /** What is to be written to have again what there was. */
  value: string;
}

/**
 * Sets limits; when one cannot be set, those that were set before it get their former values again.
 * @returns takes all of it back, for a failure elsewhere. It throws nothing, but returns the files that would not have it
 * @throws {Error} for the limit that failed, and for what could not be restored then
 */
export function setReversibly(resources: Resources, driver: CgroupDriver): () => string[] {
  const former: FormerValue[] = [];
  const undo = () => restore(former);
  try {
    for (const step of planResources(resources, driver, { skipDevices: true })) {
      if (step.kind === "write") former.push(...formerValues(step, driver).filter((one) => !former.some(isSame(one))));
      applyStep(step, driver);
    }
    return undo;
  } catch (error) {
    throw withUnrestored(error, undo());
  }
}

/** The error to report of a change that was taken back: the first one, with what could not be restored after it. */
export function withUnrestored(error: unknown, left: readonly string[]): unknown {
  if (left.length === 0) return error;
  return new Error(`${(error as Error).message}; could not restore ${left.join(", ")}`, { cause: error });
}

/** Whether a value is that of the same file, and of the same line of it: of what is written more than once the first is the former one. */
function isSame(one: FormerValue): (other: FormerValue) => boolean {
  const line = ({ file, next }: FormerValue) => (isKeyed(file) ? next.split(" ")[0] : "");
  return (other) => other.directory === one.directory && other.file === one.file && line(other) === line(one);
}

/** What a step is about to write over. */
function formerValues(step: WriteStep, driver: CgroupDriver): FormerValue[] {
  const directory = driver.hierarchyOf(step.controller)?.directory;
  if (directory === undefined) return [];
  for (const { file, value } of [step, ...(step.otherwise === undefined ? [] : [step.otherwise])]) {
    try {
      return [{ directory, file, next: value, value: formerValue(file, value, readCgroupFile(directory, file)) }];
    } catch (error) {
      if (!hasErrno(error, "ENOENT", "EACCES", "EOPNOTSUPP")) throw error;
    }
  }
  return [];
}

/**
 * What to write to a file to have again what is there now.
 * @param next what is about to be written: of a file with a line for each device, it says which line
 * @param text what the file reads now
 */
export function formerValue(file: string, next: string, text: string): string {
  const [key = "", ...assignments] = next.split(" ");
  if (!isKeyed(file) || assignments.length === 0) return (text.split("\n")[0] ?? "").trim().replace(/^default /, "");
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${key} `));
  if (line !== undefined) return line;
  // A line that is not there is one of defaults.
  if (file === "io.max" || file === "rdma.max") {
    return `${key} ${assignments.map((assignment) => `${assignment.split("=")[0]}=max`).join(" ")}`;
  }
  return `${key} ${file.startsWith("io.") ? "default" : "0"}`;
}

/** Whether a file has a line for each device, interface or the like. */
function isKeyed(file: string): boolean {
  return /(_device|priomap|^rdma\.max|^io\.max|^io\.latency|^io\.(bfq\.)?weight)$/.test(file);
}

/** In two rounds, for one value may fit only after another: memory with swap stays above memory, a period fits its quota. */
function restore(former: readonly FormerValue[]): string[] {
  const first = [...former].reverse().filter((one) => refusalOf(one) !== null);
  return first.flatMap((one) => refusalOf(one) ?? []);
}

/** @returns why a file does not have its former value again, or `null` */
function refusalOf(one: FormerValue): string | null {
  try {
    writeFormer(one);
    return null;
  } catch (error) {
    return hasFormer(one) ? null : (error as Error).message;
  }
}

/** Whether a file that is not written has its former value: an idle cgroup lets nobody write its share, not even the present one. */
function hasFormer({ directory, file, next, value }: FormerValue): boolean {
  try {
    return formerValue(file, next, readCgroupFile(directory, file)) === value;
  } catch {
    return false;
  }
}

/** Nothing, of a list of CPUs or nodes, is a line, too: a write of no bytes does not reach the kernel's handler. */
function writeFormer({ directory, file, value }: FormerValue): void {
  try {
    writeCgroupFile(directory, file, value === "" ? "\n" : value);
  } catch (error) {
    if (value !== "" || !hasErrno(error, "ENOSPC")) throw error;
    // No list any more is not to be had for a cgroup with processes (Linux 6.1). It stood for all that the parent has.
    writeCgroupFile(directory, file, readCgroupFile(dirname(directory), `${file}.effective`).trim());
  }
}
