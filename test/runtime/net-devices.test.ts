import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Driver, runCommand } from "../support/driver.ts";

/** Whether this machine lets us make network namespaces with devices in them. */
const canTest =
  process.geteuid?.() === 0 &&
  spawnSync("unshare", ["--net", "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]).status === 0;

describe.skipIf(!canTest)("moving a network device (needs root, ip(8) and veth)", () => {
  let driver: Driver;
  beforeAll(() => {
    driver = new Driver("test/runtime/move-net-device.driver.ts");
  });
  afterAll(() => driver[Symbol.dispose]());

  /** Moves `v0`, set up by a script in a namespace standing in for the host's, and shows it in the container's. */
  function move(setup: string, newName: string, name = "v0"): { stdout: string; stderr: string } {
    const script = `
      ip link add v0 type veth peer name v1
      ${setup}
      unshare --net sleep 60 & pid=$!
      until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
      "$@" ${name} ${newName} $pid && nsenter --net --target $pid ip address show dev ${newName}
      kill $pid`;
    return runCommand(["unshare", "--net", "bash", "-c", script, "bash", ...driver.command()]);
  }

  it("keeps its name, MTU and link address, and sets it up", () => {
    const { stdout, stderr } = move("ip link set v1 up; ip link set v0 mtu 1400 address 00:11:22:33:44:55", "v0");
    expect(stdout, stderr).toMatch(/v0@.*UP.* mtu 1400 /);
    expect(stdout).toContain("link/ether 00:11:22:33:44:55");
  });

  it("renames it", () => {
    expect(move("", "inside0").stdout).toContain(" inside0@");
  });

  it("keeps addresses valid everywhere, of both families", () => {
    const { stdout, stderr } = move(
      "ip link set v0 up; ip link set v1 up; ip address add 10.1.2.3/24 dev v0; ip address add fd00::5/64 dev v0 nodad",
      "v0",
    );
    expect(stdout, stderr).toContain("inet 10.1.2.3/24 brd 10.1.2.255 scope global");
    expect(stdout).toContain("inet6 fd00::5/64 scope global");
  });

  it("leaves behind addresses of the host only, and such with a lifetime", () => {
    const { stdout } = move(
      "ip address add 127.0.0.33/32 dev v0; ip address add 10.9.9.9/24 dev v0 valid_lft 60 preferred_lft 60",
      "v0",
    );
    expect(stdout).toContain(" v0@");
    expect(stdout).not.toContain("127.0.0.33");
    expect(stdout).not.toContain("10.9.9.9");
  });

  it("names a device that is not there", () => {
    expect(move("", "x", "nope").stderr).toContain("find the network device nope: ENODEV");
  });
});

it.skipIf(canTest)("moving a network device is not tested: it needs root, ip(8) and veth", () => {});
