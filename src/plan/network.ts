/** The container's network namespace: its loopback device, and devices moved into it. */
import type { Linux } from "../config/types.ts";
import type { Describers, StepBase } from "./step.ts";

/** In the init's hands. */
export type NetworkStep = StepBase & { kind: "loopback-up" };

/** In the parent's hands, who is where the devices are. */
export type NetDeviceStep = StepBase & {
  kind: "move-net-device";
  name: string;
  /** Its name in the container. */
  newName: string;
};

/** What {@link planNetwork} gives. */
export interface NetworkPlan {
  init: NetworkStep[];
  host: NetDeviceStep[];
}

/** Plans the network. The loopback device of a namespace that is joined is its owner's business. */
export function planNetwork({ namespaces = [], netDevices = {} }: Linux): NetworkPlan {
  const index = namespaces.findIndex(({ type, path }) => type === "network" && !path);
  return {
    init: index === -1 ? [] : [{ kind: "loopback-up", pointer: `/linux/namespaces/${index}` }],
    host: Object.entries(netDevices).map(([name, { name: newName }]) => ({
      kind: "move-net-device",
      pointer: `/linux/netDevices/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      name,
      newName: newName || name,
    })),
  };
}

export const describeNetwork: Describers<NetworkStep | NetDeviceStep> = {
  "loopback-up": () => "set the loopback device up",
  "move-net-device": ({ name, newName }) =>
    `move the network device ${name} into the container${newName === name ? "" : ` as ${newName}`}`,
};
