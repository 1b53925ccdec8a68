import { describe, expect, it } from "vitest";
import { planNetwork } from "../../src/plan/network.ts";

describe("planNetwork", () => {
  it("sets the loopback device of a new network namespace up", () => {
    const namespaces = [{ type: "pid" as const }, { type: "network" as const }];
    expect(planNetwork({ namespaces }).init).toEqual([{ kind: "loopback-up", pointer: "/linux/namespaces/1" }]);
  });

  it("leaves the network of a namespace alone that is joined or the host's", () => {
    expect(planNetwork({ namespaces: [{ type: "network", path: "/run/netns/x" }] }).init).toEqual([]);
    expect(planNetwork({ namespaces: [] }).init).toEqual([]);
  });

  it("moves devices under their own name or another", () => {
    expect(planNetwork({ netDevices: { eth1: {}, eth2: { name: "c0" } } }).host).toEqual([
      { kind: "move-net-device", pointer: "/linux/netDevices/eth1", name: "eth1", newName: "eth1" },
      { kind: "move-net-device", pointer: "/linux/netDevices/eth2", name: "eth2", newName: "c0" },
    ]);
  });
});
