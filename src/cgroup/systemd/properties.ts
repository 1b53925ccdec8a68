/**
 * Resource limits as properties of a systemd unit. Pure. What systemd has no property for is set by file alone; what it has one for is
 * set by both to the same value: systemd writes its own anew at each `daemon-reload`.
 * @see systemd.resource-control(5)
 */

import { parseCpuList } from "../../config/cpu-list.ts";
import type { Integer64, Resources } from "../../config/types.ts";
import { ACCESS, type DeviceException, type DeviceFilter } from "../devices.ts";
import { blockIoToWeight, isIdle, sharesToWeight, swapAlone } from "../resource-values.ts";
import type { Value } from "./marshal.ts";

/** A property with the signature of its value. */
export type Property = readonly [name: string, signature: string, value: Value];

/** What systemd calls "infinity". */
const INFINITY = 0xffff_ffff_ffff_ffffn;

/** The version of systemd from which on it has a property; 219, of CentOS 7, has the others. */
const SINCE: Record<string, number> = {
  CPUQuotaPeriodUSec: 242,
  AllowedCPUs: 244,
  AllowedMemoryNodes: 244,
  MemorySwapMax: 232,
};

/**
 * The properties for all but the devices. A limit that is absent or 0 is no property, so that it stays as it is.
 * @param systemd its version: what it does not know is left to the files
 * @throws {Error} for values that contradict each other
 */
export function resourceProperties(resources: Resources, version: 1 | 2, systemd: number): Property[] {
  const properties = [
    ...(version === 1 ? memoryV1(resources) : memoryV2(resources)),
    ...cpuProperties(resources, version, systemd),
    ...pidsProperties(resources),
    ...(version === 1 ? [] : cpusetProperties(resources)),
    ...blockProperties(resources, version),
    ...(version === 1 ? [] : unifiedProperties(resources.unified, systemd)),
  ];
  // The last one wins, as among files.
  const byName = new Map(properties.map((property) => [property[0], property]));
  return [...byName.values()].filter(([name]) => systemd >= (SINCE[name] ?? 0));
}

function limit(value: Integer64): bigint {
  return value < 0 ? INFINITY : BigInt(value);
}

function memoryV1({ memory }: Resources): Property[] {
  return memory?.limit ? [["MemoryLimit", "t", limit(memory.limit)]] : [];
}

function memoryV2({ memory = {} }: Resources): Property[] {
  const { limit: max = 0, swap = 0, reservation = 0 } = memory;
  const swapMax = swapAlone(swap, max);
  return [
    ...(max === 0 ? [] : [["MemoryMax", "t", limit(max)] as const]),
    ...(swapMax === null ? [] : [["MemorySwapMax", "t", limit(swapMax)] as const]),
    ...(reservation === 0 ? [] : [["MemoryLow", "t", limit(reservation)] as const]),
  ];
}

/** The version of systemd since which a weight of 0 stands for idle. */
const SINCE_IDLE = 252;

function cpuProperties({ cpu = {} }: Resources, version: 1 | 2, systemd: number): Property[] {
  const { shares = 0, quota = 0, period = 0, idle } = cpu;
  const properties: Property[] = [];
  if (shares !== 0) {
    properties.push(
      version === 1 ? ["CPUShares", "t", BigInt(shares)] : ["CPUWeight", "t", BigInt(sharesToWeight(shares))],
    );
  }
  // What no longer is idle has no weight of its own, if none is given.
  if (version === 2 && systemd >= SINCE_IDLE) {
    if (idle === 1) properties.push(["CPUWeight", "t", 0n]);
    if (idle === 0 && shares === 0) properties.push(["CPUWeight", "t", INFINITY]);
  }
  if (period !== 0) properties.push(["CPUQuotaPeriodUSec", "t", BigInt(period)]);
  if (quota !== 0 || period !== 0) properties.push(["CPUQuotaPerSecUSec", "t", quotaPerSecond(quota, period)]);
  return properties;
}

/** Microseconds a second, which systemd rounds up to 10,000 (a hundredth of a CPU). */
function quotaPerSecond(quota: Integer64, period: Integer64): bigint {
  if (quota <= 0) return INFINITY;
  const STEP = 10_000n;
  const perSecond = (BigInt(quota) * 1_000_000n) / BigInt(period || 100_000);
  return perSecond < STEP ? STEP : ((perSecond + STEP - 1n) / STEP) * STEP;
}

/** Resources as systemd will have them, for the files to say the same: its quotas are of whole hundredths of a CPU. */
export function roundedQuota(resources: Resources): Resources {
  const { quota = 0, period = 0 } = resources.cpu ?? {};
  if (quota <= 0) return resources;
  const rounded = (quotaPerSecond(quota, period) * BigInt(period || 100_000)) / 1_000_000n;
  return { ...resources, cpu: { ...resources.cpu, quota: Number(rounded) } };
}

/** systemd knows no limit of 0. */
function pidsProperties({ pids }: Resources): Property[] {
  if (pids?.limit === undefined) return [];
  return [["TasksMax", "t", pids.limit === 0 ? 1n : limit(pids.limit)]];
}

function cpusetProperties({ cpu = {} }: Resources): Property[] {
  return [
    ...(cpu.cpus ? [["AllowedCPUs", "ay", listMask(cpu.cpus)] as const] : []),
    ...(cpu.mems ? [["AllowedMemoryNodes", "ay", listMask(cpu.mems)] as const] : []),
  ];
}

/** A list of CPUs as a mask: bit n of byte m stands for CPU 8m + n. */
export function listMask(list: string): number[] {
  const members = parseCpuList(list) ?? [];
  const mask: number[] = new Array(1 + Math.floor(Math.max(0, ...members) / 8)).fill(0);
  for (const member of members) mask[member >> 3] = (mask[member >> 3] as number) | (1 << (member & 7));
  return mask;
}

function blockProperties({ blockIO = {} }: Resources, version: 1 | 2): Property[] {
  const properties: Property[] = [];
  const { weight } = blockIO;
  if (weight)
    properties.push(
      version === 1 ? ["BlockIOWeight", "t", BigInt(weight)] : ["IOWeight", "t", BigInt(blockIoToWeight(weight))],
    );
  const names =
    version === 1
      ? { throttleReadBpsDevice: "BlockIOReadBandwidth", throttleWriteBpsDevice: "BlockIOWriteBandwidth" }
      : {
          throttleReadBpsDevice: "IOReadBandwidthMax",
          throttleWriteBpsDevice: "IOWriteBandwidthMax",
          throttleReadIOPSDevice: "IOReadIOPSMax",
          throttleWriteIOPSDevice: "IOWriteIOPSMax",
        };
  for (const [list, name] of Object.entries(names)) {
    const devices = blockIO[list as keyof typeof names] ?? [];
    if (devices.length === 0) continue;
    properties.push([
      name,
      "a(st)",
      devices.map(({ major, minor, rate }) => [`/dev/block/${major}:${minor}`, BigInt(rate)]),
    ]);
  }
  return properties;
}

/** What `unified` says by file, where systemd has a property for the file. The rest, and values of another form, are for the files. */
function unifiedProperties(unified: Resources["unified"] = {}, systemd: number): Property[] {
  // As of `cpu.idle` above: the weight that is given besides is for later.
  const knowsIdle = systemd >= SINCE_IDLE;
  const idle = knowsIdle && isIdle(unified);
  return Object.entries(unified).flatMap(([file, text]): Property[] => {
    const value = text.trim();
    if (file === "cpu.idle" && idle) return [["CPUWeight", "t", 0n]];
    if (file === "cpu.idle" && value === "0" && knowsIdle && unified["cpu.weight"] === undefined)
      return [["CPUWeight", "t", INFINITY]];
    if (file === "cpu.weight" && idle) return [];
    const amount = value === "max" ? INFINITY : /^\d+$/.test(value) ? BigInt(value) : null;
    const simple: Record<string, string> = {
      "memory.min": "MemoryMin",
      "memory.low": "MemoryLow",
      "memory.high": "MemoryHigh",
      "memory.max": "MemoryMax",
      "memory.swap.max": "MemorySwapMax",
      "pids.max": "TasksMax",
      "cpu.weight": "CPUWeight",
    };
    const name = simple[file];
    if (name !== undefined) return amount === null ? [] : [[name, "t", amount]];
    if (file === "cpuset.cpus" && value !== "") return [["AllowedCPUs", "ay", listMask(value)]];
    if (file === "cpuset.mems" && value !== "") return [["AllowedMemoryNodes", "ay", listMask(value)]];
    if (file !== "cpu.max") return [];
    const [, quota, period = "100000"] = /^(max|\d+)(?: (\d+))?$/.exec(value) ?? [];
    if (quota === undefined) return [];
    return [
      ["CPUQuotaPeriodUSec", "t", BigInt(period)],
      ["CPUQuotaPerSecUSec", "t", quotaPerSecond(quota === "max" ? -1 : Number(quota), Number(period))],
    ];
  });
}

/**
 * The device policy. What systemd has no words for, exceptions to "all", and a minor number of any device, is for the kernel's program alone.
 * @param driverName of a type and major number, as `/proc/devices` lists them
 */
export function deviceProperties(
  { allowByDefault, exceptions }: DeviceFilter,
  driverName: (type: "b" | "c", major: number) => string | null,
): Property[] {
  // An empty list takes away what was allowed before. It comes first: a policy that it follows is left in memory alone, and the unit counts as
  // changed on disk (NeedDaemonReload=yes, systemd issue 35710, since version 230).
  const reset: Property = ["DeviceAllow", "a(ss)", []];
  if (allowByDefault) return [reset, ["DevicePolicy", "s", "auto"]];
  const allowed = [...exceptions.values()].flatMap((exception): [string, string][] => {
    const node = nodeOf(exception, driverName);
    return node === null ? [] : [[node, accessOf(exception)]];
  });
  return [reset, ["DevicePolicy", "s", "strict"], ["DeviceAllow", "a(ss)", allowed]];
}

function nodeOf(
  { type, major, minor }: DeviceException,
  driverName: (type: "b" | "c", major: number) => string | null,
): string | null {
  const kind = type === "b" ? "block" : "char";
  if (major === null) return minor === null ? `${kind}-*` : null;
  // systemd takes the numbers from the path, since version 240, whether there is such a file or not.
  if (minor !== null) return `/dev/${kind}/${major}:${minor}`;
  const name = driverName(type, major);
  return name === null ? null : `${kind}-${name}`;
}

function accessOf({ access }: DeviceException): string {
  return (["r", "w", "m"] as const).filter((letter) => (access & ACCESS[letter]) !== 0).join("");
}
