/** Network devices in the container's network namespace, seen to from outside. */
import type { NetDeviceStep } from "../plan/network.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { setLoopbackUp } from "../sys/loopback.ts";
import { setns } from "../sys/namespace.ts";
import { openRoute, type RouteSocket } from "../sys/netlink.ts";

/**
 * Moves a device into another network namespace, with its addresses, and sets it up there.
 *
 * The kernel takes the addresses off a device that moves. Those given by the administrator for use everywhere are given to
 * it again: neither those with a lifetime, which belong to the old network, nor those of the link or the host, which the
 * kernel makes itself.
 *
 * @param pid a process in the network namespace to move it to
 * @throws {Error} that names the device and what failed
 */
export function moveNetDevice({ name, newName }: NetDeviceStep, pid: number): void {
  using namespace = open(`/proc/${pid}/ns/net`, O.RDONLY);
  using here = openRoute();
  const index = here.linkIndex(name);
  // Before the device is set down: that alone takes its IPv6 addresses.
  const addresses = here.addresses(index).filter(({ permanent, global }) => permanent && global);
  here.setLinkState(index, "down");
  using there = openRouteIn(namespace);
  const others = there.linkIndexes();
  // Renamed in the same request, so that neither name can collide in between.
  here.moveLink(index, newName, namespace.number);
  // Of a template only the kernel knows what has become, and the index is another where a device there has the old one.
  const moved = newName.includes("%d")
    ? there.linkIndexes().find((each) => !others.includes(each))
    : there.linkIndex(newName);
  if (moved === undefined) throw new Error(`the network device ${name} is gone from the container's namespace`);
  for (const address of addresses) there.addAddress(moved, address);
  there.setLinkState(moved, "up");
}

/**
 * Sets the loopback device of another network namespace up.
 * @param pid a process in it
 */
export function setLoopbackUpOf(pid: number): void {
  using namespace = open(`/proc/${pid}/ns/net`, O.RDONLY);
  inNetwork(namespace, setLoopbackUp);
}

/** A socket belongs to the network namespace in which it was made, wherever its owner goes. */
function openRouteIn(namespace: Fd): RouteSocket {
  return inNetwork(namespace, openRoute);
}

function inNetwork<T>(namespace: Fd, work: () => T): T {
  using home = open("/proc/self/ns/net", O.RDONLY);
  setns(namespace.number, ["network"]);
  try {
    return work();
  } finally {
    setns(home.number, ["network"]);
  }
}
