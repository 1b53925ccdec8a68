/** config-linux.md, "Network Devices". Needs iproute2, and a kernel with dummy or veth devices. */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { runCommand } from "../harness/command.ts";
import type { Subject } from "../harness/subject.ts";

let counter = 0;

/** A device of the host's, gone when the check is over, unless it is gone with the container: one end of a pair where a kernel has no dummies. */
async function device(subject: Subject): Promise<string> {
  const name = `cf${process.pid % 100000}x${++counter}`;
  const dummy = await runCommand("ip", ["link", "add", name, "type", "dummy"]);
  const { code, stderr } =
    dummy.code === 0 ? dummy : await runCommand("ip", ["link", "add", name, "type", "veth", "peer", `${name}p`]);
  if (code !== 0) return subject.skip(`cannot make a network device: ${stderr.trim() || "ip is missing"}`);
  subject.afterwards(async () => {
    for (const each of [name, `${name}p`]) await runCommand("ip", ["link", "delete", each]);
  });
  return name;
}

/** Whether the runtime says that it moves devices; one that says nothing is tried. */
async function needsNetDevices(subject: Subject): Promise<void> {
  const { code, stdout } = await subject.command(["features"]);
  const linux = code === 0 ? JSON.parse(stdout).linux : undefined;
  if (linux !== undefined && linux.netDevices?.enabled !== true)
    subject.skip("the runtime does not list netDevices in its features");
}

check(
  "config-linux/network-devices-netdevices-network-devices-made",
  "a device is moved into the container",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    const output = await subject.output("ls /sys/class/net", ({ linux }) => {
      linux["netDevices"] = { [name]: {} };
    });
    expect(output.split("\n")).toContain(name);
    expect((await runCommand("ip", ["link", "show", name])).code, "ip link show on the host").not.toBe(0);
  },
);

check(
  "config-linux/network-devices-netdevices-network-devices-made",
  "a device gets the name given",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    const output = await subject.output("ls /sys/class/net", ({ linux }) => {
      linux["netDevices"] = { [name]: { name: "inside0" } };
    });
    expect(output.split("\n")).toContain("inside0");
  },
);

check("config-linux/network-devices-network-device-state-up", "a device is up in the container", async (subject) => {
  await needsNetDevices(subject);
  const name = await device(subject);
  const output = await subject.output(`ip -o link show ${name}`, ({ linux }) => {
    linux["netDevices"] = { [name]: {} };
  });
  expect(output).toMatch(/<.*\bUP\b.*>/);
});

check(
  "config-linux/network-devices-preserve-existing-network-interface",
  "a device keeps its global addresses",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    await runCommand("ip", ["address", "add", "203.0.113.7/32", "dev", name]);
    const output = await subject.output(`ip -o address show ${name}`, ({ linux }) => {
      linux["netDevices"] = { [name]: {} };
    });
    expect(output).toContain("203.0.113.7/32");
  },
);

check(
  "config-linux/network-devices-check-moving-network-interface",
  "a device that does not exist is refused",
  async (subject) => {
    await needsNetDevices(subject);
    await subject.refusesConfig(({ linux }) => {
      linux["netDevices"] = { nosuchdevice: {} };
    });
  },
);

check(
  "config-linux/network-devices-network-device-specified-name",
  "a name that the container has already is refused",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    await subject.refusesConfig(({ linux }) => {
      linux["netDevices"] = { [name]: { name: "lo" } };
    });
  },
);

check(
  "config-linux/network-devices-case-allow-move",
  "a template with %d gives a name that is free",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    const output = await subject.output("ls /sys/class/net", ({ linux }) => {
      linux["netDevices"] = { [name]: { name: "given%d" } };
    });
    expect(output.split("\n")).toContain("given0");
  },
);

check(
  "config-linux/network-devices-check-moving-network-interface",
  "devices without a network namespace are refused",
  async (subject) => {
    await needsNetDevices(subject);
    const name = await device(subject);
    await subject.refusesConfig((spec) => {
      spec.linux.namespaces = spec.linux.namespaces?.filter(({ type }) => type !== "network") ?? [];
      spec.mounts = spec.mounts.filter(({ type }) => type !== "sysfs");
      spec.linux["netDevices"] = { [name]: {} };
    });
  },
);
