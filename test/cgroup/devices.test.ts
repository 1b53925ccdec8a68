import { describe, expect, test } from "vitest";
import { ACCESS, deviceChanges, parseDevicesList, planDevices, sameFilter } from "../../src/cgroup/devices.ts";
import type { DeviceRule } from "../../src/config/types.ts";

const denyAll: DeviceRule = { allow: false, access: "rwm" };
const fresh = parseDevicesList("a *:* rwm\n");
const changes = (rules: DeviceRule[], from = fresh) => deviceChanges(from, planDevices(rules));

const usual = [
  "c *:* m",
  "b *:* m",
  "c 1:3 rwm",
  "c 1:8 rwm",
  "c 1:7 rwm",
  "c 5:0 rwm",
  "c 1:5 rwm",
  "c 1:9 rwm",
  "c 136:* rwm",
  "c 5:2 rwm",
  "c 10:200 rwm",
];

describe("planDevices", () => {
  test("every container may use the usual devices, even when its rules deny all", () => {
    expect(changes([denyAll])).toEqual([
      { allow: false, lines: ["a *:* rwm"] },
      { allow: true, lines: usual },
    ]);
  });

  test("no rules mean no devices but the usual ones", () => {
    expect(changes([])).toEqual(changes([denyAll]));
  });

  test("config.json's own device at the path of a usual one takes its place in the list", () => {
    const filter = planDevices([denyAll], [{ type: "c", path: "/dev/full", major: 1, minor: 3 }]);
    expect(filter.exceptions.has("c 1:7")).toBe(false);
    expect(filter.exceptions.has("c 1:3")).toBe(true);
  });

  test.each(["c", "u"] as const)("a usual device that config.json lists as it is stays in the list (%s)", (type) => {
    const filter = planDevices([denyAll], [{ type, path: "/dev/full", major: 1, minor: 7 }]);
    expect(filter.exceptions.get("c 1:7")?.access).toBe(ACCESS.r | ACCESS.w | ACCESS.m);
  });

  test("rules for the same device add up", () => {
    const filter = planDevices([
      denyAll,
      { allow: true, type: "b", major: 8, minor: 0, access: "r" },
      { allow: true, type: "b", major: 8, minor: 0, access: "w" },
      { allow: false, type: "b", major: 8, minor: 0, access: "r" },
    ]);
    expect(deviceChanges(parseDevicesList(""), filter)[0]?.lines[0]).toBe("b 8:0 w");
  });

  test("a rule for all devices starts over, whatever device it names", () => {
    const rules: DeviceRule[] = [
      { allow: true, type: "c", major: 9, minor: 9, access: "rwm" },
      { allow: false, type: "a", major: 1, minor: 2, access: "r" },
    ];
    expect(changes(rules)).toEqual(changes([]));
  });

  test("allowing all devices leaves nothing to deny", () => {
    expect(changes([{ allow: true, type: "a", access: "rwm" }])).toEqual([{ allow: true, lines: ["a *:* rwm"] }]);
  });

  test("the letter a in an access is passed over, as runc does, and no other", () => {
    const rule: DeviceRule = { allow: true, type: "c", major: 1, minor: 11, access: "raw" };
    expect(planDevices([rule]).exceptions.get("c 1:11")?.access).toBe(ACCESS.r | ACCESS.w);
    expect(changes([denyAll, { ...rule, access: "a" }, { ...rule, allow: false, access: "a" }])).toEqual(changes([]));
    expect(changes([{ allow: true, access: "a" }])).toEqual(changes([{ allow: true, access: "rwm" }]));
  });

  test("-1 is any number, as old engines write it", () => {
    const filter = planDevices([{ allow: true, type: "c", major: 4, minor: -1, access: "r" }]);
    expect(filter.exceptions.has("c 4:*")).toBe(true);
  });

  test("a hole in a wider rule is refused: the kernel would leave it closed in silence", () => {
    const rules: DeviceRule[] = [
      { allow: true, type: "c", major: 10, access: "rw" },
      { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
    ];
    expect(() => planDevices(rules)).toThrow('"c 10:229 rwm" cannot make a hole in the wider rule "c 10:* rw"');
  });

  test.each<[DeviceRule, string]>([
    [{ allow: true, type: "c", major: 1, minor: 3 }, "device access at 0 field cannot be empty"],
    [{ allow: true, type: "p", access: "r" }, 'invalid cgroup device type "p"'],
    [{ allow: true, type: "c", access: "rx" }, 'invalid device access "rx"'],
  ])("refuses %j", (rule, message) => {
    expect(() => planDevices([rule])).toThrow(message);
  });
});

describe("deviceChanges on a running container", () => {
  const current = parseDevicesList("c 1:3 rwm\nc 4:* rw\n");

  test("touches only what differs, and so takes nothing away that stays", () => {
    const target = parseDevicesList("c 1:3 rwm\nc 4:* r\nb 8:0 r\n");
    expect(deviceChanges(current, target)).toEqual([
      { allow: false, lines: ["c 4:* w"] },
      { allow: true, lines: ["b 8:0 r"] },
    ]);
  });

  test("does nothing when nothing differs", () => {
    expect(deviceChanges(current, parseDevicesList("c 4:* wr\nc 1:3 mrw\n"))).toEqual([]);
  });

  test("starts over from an allow-all list, which hides what is denied", () => {
    expect(deviceChanges(fresh, current)[0]).toEqual({ allow: false, lines: ["a *:* rwm"] });
    expect(deviceChanges(fresh, fresh)).toEqual([{ allow: true, lines: ["a *:* rwm"] }]);
  });
});

test("sameFilter compares by device and access, not by order", () => {
  expect(sameFilter(parseDevicesList("c 1:3 rw\nb 8:0 r\n"), parseDevicesList("b 8:0 r\nc 1:3 wr\n"))).toBe(true);
  expect(sameFilter(parseDevicesList("c 1:3 rw\n"), parseDevicesList("c 1:3 rwm\n"))).toBe(false);
  expect(sameFilter(parseDevicesList("c 1:3 rw\n"), fresh)).toBe(false);
});
