/** Network devices in the container's network namespace, seen to from outside. */
import type { NetDeviceStep } from "../plan/network.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { setLoopbackUp } from "../sys/loopback.ts";
import { setns } from "../sys/namespace.ts";
import { type NetworkAddress, openRoute, type RouteSocket } from "../sys/netlink.ts";

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
export function moveNetDevice({ name, newName, pointer }: NetDeviceStep, pid: number): void {
  using namespace = open(`/proc/${pid}/ns/net`, O.RDONLY);
  using here = openRoute();
  const index = here.linkIndex(name);
  // Before the device is set down: that alone takes its IPv6 addresses.
  const addresses = here.addresses(index).filter(({ permanent, global }) => permanent && global);
  using there = openRouteIn(namespace);
  const others = newName.includes("%d") ? there.linkIndexes() : null;
  // The kernel would move it all the same, under its old name, and it would end with the container.
  if (has(there, newName)) throw new Error(`${pointer}: the container has a network device ${newName} already`);
  const state = here.linkState(index);
  here.setLinkState(index, "down");
  try {
    // Renamed in the same request, so that neither name can collide in between.
    here.moveLink(index, newName, namespace.number);
  } catch (error) {
    // Some do not move, such as the loopback device: it stays as it was.
    if (state === "up") setUpAgain(here, index, addresses);
    throw new Error(`${pointer}: the network device ${name} does not move: ${(error as Error).message}`);
  }
  // Of a template only the kernel knows what has become, and the index is another where a device there has the old one.
  const moved = others === null ? there.linkIndex(newName) : there.linkIndexes().find((each) => !others.includes(each));
  if (moved === undefined) throw new Error(`the network device ${name} is gone from the container's namespace`);
  for (const address of addresses) there.addAddress(moved, address);
  there.setLinkState(moved, "up");
}

function has(route: RouteSocket, name: string): boolean {
  try {
    return route.linkIndex(name) > 0;
  } catch (error) {
    if (hasErrno(error, "ENODEV")) return false;
    throw error;
  }
}

/** The kernel has taken the IPv6 addresses, and has left the others. */
function setUpAgain(route: RouteSocket, index: number, addresses: readonly NetworkAddress[]): void {
  route.setLinkState(index, "up");
  for (const address of addresses) {
    try {
      route.addAddress(index, address);
    } catch (error) {
      if (!hasErrno(error, "EEXIST")) throw error;
    }
  }
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
