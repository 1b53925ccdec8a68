import { describe, expect, it } from "vitest";
import { planSysctls } from "../../src/plan/sysctl.ts";

const path = (name: string) => planSysctls({ [name]: "1" })[0]?.path;

describe("planSysctls", () => {
  it("plans a step for each parameter, in the order written", () => {
    expect(planSysctls({ "net.ipv4.ip_forward": "1", "kernel.shmmax": "65536" })).toEqual([
      {
        kind: "write-sysctl",
        pointer: "/linux/sysctl/net.ipv4.ip_forward",
        name: "net.ipv4.ip_forward",
        path: "sys/net/ipv4/ip_forward",
        value: "1",
      },
      {
        kind: "write-sysctl",
        pointer: "/linux/sysctl/kernel.shmmax",
        name: "kernel.shmmax",
        path: "sys/kernel/shmmax",
        value: "65536",
      },
    ]);
  });

  it("takes slashes for separators when one comes first, so that a device's name may have a dot", () => {
    expect(path("net/ipv4/conf/eth0.1/rp_filter")).toBe("sys/net/ipv4/conf/eth0.1/rp_filter");
    expect(path("net.ipv4.conf.eth0/1.rp_filter")).toBe("sys/net/ipv4/conf/eth0.1/rp_filter");
  });

  it.each([
    "net/../kernel/core_pattern",
    "net.//.kernel.core_pattern",
    "/kernel/shmmax",
    "net..ipv4",
    "net/./x",
    "",
    ".",
  ])("refuses %j, which leads elsewhere than it says", (name) =>
    expect(() => path(name)).toThrow(/not the name of a kernel parameter/),
  );
});
