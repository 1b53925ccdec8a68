/** `linux.resources`. */
import { describe, expect, test } from "vitest";
import { accepted, judge, onLinux, refused } from "../support/judge.ts";

describe("resources", () => {
  const resources = (part: object) => onLinux({ resources: part });
  test.each<[object, string, RegExp]>([
    [{ devices: [{ allow: true }] }, "/devices/0/access", /device access at 0 field cannot be empty/],
    [{ devices: [{ allow: true, access: "rx" }] }, "/devices/0/access", /letters r \(read\)/],
    [{ devices: [{ allow: true, type: "p", access: "r" }] }, "/devices/0/type", /invalid cgroup device type/],
    [{ memory: { limit: 2, swap: 1 } }, "/memory/swap", /below the memory limit 2/],
    [{ memory: { swappiness: 101 } }, "/memory/swappiness", /0 to 100/],
    [{ cpu: { quota: 1000, burst: 1001 } }, "/cpu/burst", /quota 1000/],
    [{ cpu: { idle: 2 } }, "/cpu/idle", /0 or 1/],
    [{ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }, "/blockIO/weightDevice/0", /weight, a leafWeight/],
    [{ memory: { limit: 2n ** 53n + 1n, swap: 2n ** 53n } }, "/memory/swap", /below the memory limit 9007199254740993/],
    // The kernel keeps 32 bits of these, or fewer: the rule would be for another device.
    [{ devices: [{ allow: true, type: "c", major: 2 ** 32 + 1, access: "r" }] }, "/devices/0/major", /below 2\^32/],
    [{ devices: [{ allow: true, type: "c", minor: 2n ** 60n, access: "r" }] }, "/devices/0/minor", /below 2\^32/],
    [{ devices: [{ allow: true, type: "c", major: -2, access: "r" }] }, "/devices/0/major", /must be -1, for any/],
    [
      { blockIO: { weightDevice: [{ major: 4096, minor: 0, weight: 10 }] } },
      "/blockIO/weightDevice/0/major",
      /0 to 4095/,
    ],
    [
      { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 2 ** 32, rate: 1 }] } },
      "/blockIO/throttleReadBpsDevice/0/minor",
      /0 to 1048575/,
    ],
    [{ rdma: { "a/b": {} } }, "/rdma/a~1b", /hcaHandles, hcaObjects/],
    [{ unified: { "../x": "1" } }, "/unified/..~1x", /without slashes/],
    [{ unified: { "..": "1" } }, "/unified/..", /without slashes/],
  ])("%o is refused", (part, pointer, rule) => refused(resources(part), `/linux/resources${pointer}`, rule));

  test.each<object>([
    { blockIO: { weight: 0 }, cpu: { shares: 0, quota: -1 }, memory: { limit: -1, swap: -1 } },
    { memory: { limit: 2, swap: 2, swappiness: 100 }, pids: { limit: 0 } },
    { pids: {} },
    { cpu: { quota: -1, burst: 5, idle: 1 } },
    {
      devices: [
        { allow: false, access: "rwm" },
        { allow: true, type: "c", major: 1, minor: -1, access: "r" },
      ],
    },
    { unified: { "memory.high": "max" } },
  ])("%j is accepted", (part) => accepted(resources(part)));

  test.each(["rwa", "a", "rwma"])(
    "the letter a in a device's access means nothing, and is warned of (%s)",
    (access) => {
      expect(judge(resources({ devices: [{ allow: false, type: "c", major: 1, minor: 11, access }] }))).toEqual([
        expect.stringContaining(`/linux/resources/devices/0/access: "${access}": the letter a means nothing`),
      ]);
    },
  );

  test("limits of kernel memory are warned of", () => {
    expect(judge(resources({ memory: { kernel: 1, kernelTCP: 2 } }))).toEqual([
      expect.stringContaining("/linux/resources/memory/kernel: 1: is ignored"),
      expect.stringContaining("/linux/resources/memory/kernelTCP: 2: is set on cgroup v1 only"),
    ]);
  });
});
