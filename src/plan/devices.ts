/** The device nodes and symlinks of the container's `/dev`. */
import type { Device } from "../config/types.ts";
import type { LinkStep, SourceStep } from "./mount-steps.ts";
import { cleanPath } from "./paths.ts";
import type { Describers, OfKind, StepBase } from "./step.ts";

/** One device node. */
export interface DeviceNode {
  /** File name in its directory. */
  name: string;
  type: "c" | "b" | "p";
  major: number;
  minor: number;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /**
   * Whether config.json lists it: one that is there gets its mode and owner, and anything else that is there is an error. Of the
   * default ones, what is there is left.
   */
  listed: boolean;
}

export type DeviceStep =
  /** Makes nodes; where that is not permitted, binds the host's. */
  | (StepBase & { kind: "device-nodes"; directory: string; nodes: DeviceNode[] })
  /** Binds the host's devices: in a user namespace nobody may make nodes. `source`: the parent makes one that the host lacks. */
  | (StepBase & { kind: "bind-devices"; directory: string; nodes: DeviceNode[]; source: string | null })
  | LinkStep
  /** Makes a symlink in place of whatever is there. */
  | (StepBase & { kind: "replace-by-symlink"; path: string; to: string });

/** The devices that every container has: name, major, minor. @see runtime-spec, config-linux.md, "Default Devices" */
const DEFAULT_DEVICES = [
  ["null", 1, 3],
  ["random", 1, 8],
  ["full", 1, 7],
  ["tty", 5, 0],
  ["zero", 1, 5],
  ["urandom", 1, 9],
] as const;

/** Who makes the nodes: the init; nobody, so that the host's are bound; or the parent, what the host has not. */
export type DeviceMaker = "init" | "nobody" | "parent";

/** What {@link planDevices} gives. */
export interface DevicePlan {
  steps: DeviceStep[];
  /** What the init may ask its parent for. */
  sources: OfKind<SourceStep, "make-device">[];
}

/** Plans `/dev`: the default devices, those of `linux.devices`, which win over a default of the same path, and the links. */
export function planDevices(devices: readonly Device[], maker: DeviceMaker): DevicePlan {
  const sources: DevicePlan["sources"] = [];
  const paths = devices.map(({ path }) => cleanPath(path));
  const defaults = DEFAULT_DEVICES.filter(([name]) => !paths.includes(`/dev/${name}`));
  const usual = defaults.map(([name, major, minor]) => node(name, major, minor));
  const steps: DeviceStep[] = [
    maker === "init"
      ? { kind: "device-nodes", directory: "/dev", nodes: usual }
      : { kind: "bind-devices", directory: "/dev", nodes: usual, source: null },
  ];
  devices.forEach((device, index) => {
    const path = paths[index] as string;
    // The link below takes its place.
    if (path === "/dev/ptmx") return;
    const cut = path.lastIndexOf("/");
    const made: DeviceNode = {
      name: path.slice(cut + 1),
      type: device.type === "u" ? "c" : device.type,
      major: Number(device.major ?? 0),
      minor: Number(device.minor ?? 0),
      mode: (device.fileMode ?? 0o666) & 0o7777,
      uid: device.uid ?? 0,
      gid: device.gid ?? 0,
      listed: true,
    };
    const pointer = `/linux/devices/${index}`;
    const where = { pointer, directory: path.slice(0, cut) || "/", nodes: [made] };
    // Anyone may make a pipe.
    if (device.type === "p" || maker === "init") return void steps.push({ kind: "device-nodes", ...where });
    const name = `device-${index}`;
    if (maker === "parent") sources.push({ kind: "make-device", name, pointer, node: made });
    steps.push({ kind: "bind-devices", ...where, source: maker === "parent" ? name : null });
  });
  steps.push({ kind: "replace-by-symlink", path: "/dev/ptmx", to: "pts/ptmx" }, DEFAULT_LINKS);
  return { steps, sources };
}

const DEFAULT_LINKS: LinkStep = {
  kind: "symlinks",
  directory: "/dev",
  links: [
    { name: "fd", to: "/proc/self/fd" },
    { name: "stdin", to: "/proc/self/fd/0" },
    { name: "stdout", to: "/proc/self/fd/1" },
    { name: "stderr", to: "/proc/self/fd/2" },
    { name: "core", to: "/proc/kcore", onlyIf: "/proc/kcore" },
  ],
};

function node(name: string, major: number, minor: number): DeviceNode {
  return { name, type: "c", major, minor, mode: 0o666, uid: 0, gid: 0, listed: false };
}

export const describeDevices: Describers<DeviceStep> = {
  "device-nodes": ({ directory, nodes }) => `make the devices ${nodes.map(inWords).join(", ")} in rootfs${directory}`,
  "bind-devices": ({ directory, nodes }) =>
    `bind the host's devices ${nodes.map(({ name }) => name).join(", ")} in rootfs${directory}`,
  symlinks: ({ directory, links }) =>
    `link ${links.map(({ name, to }) => `${name} to ${to}`).join(", ")} in rootfs${directory}`,
  "replace-by-symlink": ({ path, to }) => `link rootfs${path} to ${to}`,
};

export function inWords({ name, type, major, minor, mode, uid, gid }: DeviceNode): string {
  const owner = uid === 0 && gid === 0 ? "" : ` ${uid}:${gid}`;
  return type === "p"
    ? `${name} (pipe ${octal(mode)}${owner})`
    : `${name} (${type} ${major}:${minor} ${octal(mode)}${owner})`;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
