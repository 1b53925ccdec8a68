/** `linux.netDevices`. */
import { describe, test } from "vitest";
import { accepted, also, asRoot, asUser, onLinux, refused, userNamespace, without } from "../support/judge.ts";

describe("netDevices", () => {
  const devices = (netDevices: Record<string, { name?: string }>) => onLinux({ netDevices });
  test.each<[Record<string, { name?: string }>, string, RegExp]>([
    [{ "..": {} }, "/..", /invalid network device name/],
    [{ "a:b": {} }, "/a:b", /invalid network device name/],
    [{ "a b": {} }, "/a b", /invalid network device name/],
    [{ eth0123456789012: {} }, "/eth0123456789012", /invalid network device name/],
    [{ eth0: { name: "a/b" } }, "/eth0/name", /invalid network device name/],
    [{ eth0: { name: "x" }, eth1: { name: "x" } }, "/eth1", /would be called x/],
    [{ eth0: { name: "eth1" }, eth1: {} }, "/eth1", /would be called eth1/],
  ])("%j is refused", (netDevices, pointer, rule) => refused(devices(netDevices), `/linux/netDevices${pointer}`, rule));
  test("need a network namespace", () => {
    refused(also(devices({ eth0: {} }), without("network")), "/linux/netDevices", /without a NET namespace/);
  });
  test("need root, the real one", () => {
    refused(also(userNamespace, devices({ eth0: {} })), "/linux/netDevices", /rootless/, asUser);
    refused(devices({ eth0: {} }), "/linux/netDevices", /rootless/, { ...asRoot, inUserNamespace: true });
  });
  test("may be numbered by the kernel", () =>
    accepted(devices({ eth0: { name: "net%d" }, eth1: { name: "net%d" }, eth2: {} })));
});
