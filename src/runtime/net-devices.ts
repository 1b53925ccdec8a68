/** Moves network devices of the host into the container. */
import type { NetDeviceStep } from "../plan/network.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { setns } from "../sys/namespace.ts";
import { openRoute, type RouteSocket } from "../sys/netlink.ts";

/** Carries out the moves into the network namespace of a process. @throws {Error} that names the step */
export function moveNetDevices(steps: readonly NetDeviceStep[], pid: number): void {
  if (steps.length === 0) return;
  using namespace = open(`/proc/${pid}/ns/net`, O.RDONLY);
  for (const { name, newName } of steps) moveNetDevice(name, newName, namespace);
}

/**
 * Moves a device into another network namespace, with its addresses, and sets it up there.
 *
 * The kernel takes the addresses off a device that moves. Those given by the administrator for use everywhere are given to
 * it again: neither those with a lifetime, which belong to the old network, nor those of the link or the host, which the
 * kernel makes itself.
 *
 * @param namespace the network namespace to move it to
 * @throws {Error} that names the device and what failed
 */
export function moveNetDevice(name: string, newName: string, namespace: Fd): void {
  using here = openRoute();
  const index = here.linkIndex(name);
  // Before the device is set down: that alone takes its IPv6 addresses.
  const addresses = here.addresses(index).filter(({ permanent, global }) => permanent && global);
  here.setLinkState(index, "down");
  // Renamed in the same request, so that neither name can collide in between.
  here.moveLink(index, newName, namespace.number);
  using there = openRouteIn(namespace);
  const moved = there.linkIndex(newName);
  for (const address of addresses) there.addAddress(moved, address);
  there.setLinkState(moved, "up");
}

/** A socket belongs to the network namespace in which it was made, wherever its owner goes. */
function openRouteIn(namespace: Fd): RouteSocket {
  using home = open("/proc/self/ns/net", O.RDONLY);
  setns(namespace.number, ["network"]);
  try {
    return openRoute();
  } finally {
    setns(home.number, ["network"]);
  }
}
