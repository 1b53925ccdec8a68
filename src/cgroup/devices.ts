/**
 * Which devices a cgroup's processes may use: the rules of config.json reduced to what the kernel keeps of them.
 *
 * Both cgroup versions go through the same reduction, so that a rule means the same on each. It is that of the v1
 * devices controller: a default and a set of exceptions to it, where a rule for all devices starts over.
 */
import type { Device, DeviceRule, Integer64, Resources } from "../config/types.ts";

/** Accesses, as bits: those of `BPF_DEVCG_ACC_*` in linux/bpf.h. */
export const ACCESS = { m: 1, r: 2, w: 4 } as const;

/** Devices that are treated differently from the default. */
export interface DeviceException {
  type: "b" | "c";
  /** `null` for any. */
  major: number | null;
  minor: number | null;
  /** Bits of {@link ACCESS}. */
  access: number;
}

/** What the rules amount to. */
export interface DeviceFilter {
  allowByDefault: boolean;
  /** Allowed when the default is to deny, denied when it is to allow; by device. */
  exceptions: Map<string, DeviceException>;
}

/** Lines for `devices.allow` or `devices.deny`. */
export interface DeviceChange {
  allow: boolean;
  /** Such as `c 1:3 rwm`, `b *:* m`, or `a *:* rwm`. */
  lines: string[];
}

/**
 * What every container may use, whatever its rules say, since programs rely on it: `mknod` of anything, and these.
 * The path is that of the device which config.json may redefine, by other numbers, and so take from this list.
 */
function alwaysAllowed(): [line: string, path?: string][] {
  return [
    ["c *:* m"],
    ["b *:* m"],
    ["c 1:3 rwm", "/dev/null"],
    ["c 1:8 rwm", "/dev/random"],
    ["c 1:7 rwm", "/dev/full"],
    ["c 5:0 rwm", "/dev/tty"],
    ["c 1:5 rwm", "/dev/zero"],
    ["c 1:9 rwm", "/dev/urandom"],
    ["c 136:* rwm"], // /dev/pts/*
    ["c 5:2 rwm"], // /dev/ptmx
    ["c 10:200 rwm"], // /dev/net/tun
  ];
}

/**
 * The filter that a container gets: its own rules, then the devices that every container may use.
 * @param rules   `linux.resources.devices`
 * @param devices `linux.devices`: one with the path of a default device stands in its place
 * @throws {Error} for a rule that is malformed or cannot be expressed
 */
export function planDevices(rules: Resources["devices"] = [], devices: readonly Device[] = []): DeviceFilter {
  const filter: DeviceFilter = { allowByDefault: false, exceptions: new Map() };
  rules.forEach((rule, index) => {
    applyRule(filter, rule.allow, exceptionOf(rule, index));
  });
  for (const [line, path] of alwaysAllowed()) {
    const redefined = devices.some((device) => device.path === path && !isDevice(device, line));
    if (!redefined) applyRule(filter, true, parseException(line));
  }
  return filter;
}

/** Whether a device is the one of a line such as `c 1:3 rwm`. */
function isDevice({ type, major = 0, minor = 0 }: Device, line: string): boolean {
  return line.startsWith(`${type === "u" ? "c" : type} ${major}:${minor} `);
}

/** The filter that a v1 cgroup has, from the text of its `devices.list`. */
export function parseDevicesList(text: string): DeviceFilter {
  const filter: DeviceFilter = { allowByDefault: false, exceptions: new Map() };
  for (const line of text.split("\n")) if (line !== "") applyRule(filter, true, parseException(line));
  return filter;
}

/**
 * The smallest change from one filter to another, so that a running container loses no access that it keeps.
 * @see linux/Documentation/admin-guide/cgroup-v1/devices.rst
 */
export function deviceChanges(from: DeviceFilter, to: DeviceFilter): DeviceChange[] {
  const startOver: string[] = [];
  const dropped: string[] = [];
  const gained: string[] = [];
  let old = from.exceptions;
  // The list of a cgroup that allows by default does not show its exceptions, so it has to start over.
  if (from.allowByDefault || to.allowByDefault) {
    startOver.push("a *:* rwm");
    old = new Map();
  }
  for (const [key, exception] of old) {
    const access = exception.access & ~(to.exceptions.get(key)?.access ?? 0);
    if (access !== 0) dropped.push(lineOf({ ...exception, access }));
  }
  for (const [key, exception] of to.exceptions) {
    const access = exception.access & ~(old.get(key)?.access ?? 0);
    if (access !== 0) gained.push(lineOf({ ...exception, access }));
  }
  return [
    { allow: to.allowByDefault, lines: [...startOver, ...dropped] },
    { allow: !to.allowByDefault, lines: gained },
  ].filter(({ lines }) => lines.length > 0);
}

/** Whether two filters are the same as far as `devices.list` can tell. */
export function sameFilter(a: DeviceFilter, b: DeviceFilter): boolean {
  if (a.allowByDefault || b.allowByDefault) return a.allowByDefault === b.allowByDefault;
  if (a.exceptions.size !== b.exceptions.size) return false;
  for (const [key, { access }] of a.exceptions) if (b.exceptions.get(key)?.access !== access) return false;
  return true;
}

function applyRule(filter: DeviceFilter, allow: boolean, exception: DeviceException | "all"): void {
  if (exception === "all") {
    filter.allowByDefault = allow;
    filter.exceptions.clear();
  } else if (exception.access === 0) {
    // Of no access: there is nothing to allow or deny, and the kernel refuses such a line.
  } else if (allow === filter.allowByDefault) {
    removeException(filter, exception);
  } else {
    const key = keyOf(exception);
    const access = exception.access | (filter.exceptions.get(key)?.access ?? 0);
    filter.exceptions.set(key, { ...exception, access });
  }
}

function removeException(filter: DeviceFilter, exception: DeviceException): void {
  const { type, major, minor, access } = exception;
  const key = keyOf(exception);
  // The kernel ignores a removal from a wider exception in silence: what config.json forbids would stay allowed.
  for (const wider of [
    { type, major: null, minor },
    { type, major, minor: null },
    { type, major: null, minor: null },
  ]) {
    const existing = filter.exceptions.get(keyOf(wider));
    if (keyOf(wider) === key || existing === undefined || (existing.access & access) === 0) continue;
    throw new Error(
      `device rule "${lineOf(exception)}" cannot make a hole in the wider rule "${lineOf(existing)}" before it`,
    );
  }
  const left = (filter.exceptions.get(key)?.access ?? 0) & ~access;
  if (left === 0) filter.exceptions.delete(key);
  else filter.exceptions.set(key, { ...exception, access: left });
}

function exceptionOf(rule: DeviceRule, index: number): DeviceException | "all" {
  const { type = "a", access = "" } = rule;
  if (access === "") throw new Error(`device access at ${index} field cannot be empty`);
  if (type === "a") return "all";
  if (type !== "b" && type !== "c") throw new Error(`invalid cgroup device type ${JSON.stringify(type)}`);
  return { type, major: numberOrAny(rule.major), minor: numberOrAny(rule.minor), access: accessBits(access) };
}

/** Older engines write -1 for "any". */
function numberOrAny(value: Integer64 | undefined): number | null {
  return value === undefined || value < 0 ? null : Number(value);
}

function parseException(line: string): DeviceException | "all" {
  const [type, numbers = "", access] = line.split(" ");
  const [major, minor] = numbers.split(":");
  if (type === "a") return "all";
  if ((type !== "b" && type !== "c") || major === undefined || minor === undefined || access === undefined) {
    throw new Error(`malformed line in devices.list: ${JSON.stringify(line)}`);
  }
  const number = (text: string) => (text === "*" ? null : Number(text));
  return { type, major: number(major), minor: number(minor), access: accessBits(access) };
}

/** The letter `a` is passed over, as runc does: configurations have it beside the others, meaning all of them. */
function accessBits(access: string): number {
  let bits = 0;
  for (const letter of access.replaceAll("a", "")) {
    const bit = ACCESS[letter as keyof typeof ACCESS];
    if (bit === undefined)
      throw new Error(`invalid device access ${JSON.stringify(access)}: only r, w and m are known`);
    bits |= bit;
  }
  return bits;
}

function keyOf({ type, major, minor }: Omit<DeviceException, "access">): string {
  return `${type} ${major ?? "*"}:${minor ?? "*"}`;
}

function lineOf(exception: DeviceException): string {
  const letters = (["r", "w", "m"] as const).filter((letter) => (exception.access & ACCESS[letter]) !== 0);
  return `${keyOf(exception)} ${letters.join("")}`;
}
