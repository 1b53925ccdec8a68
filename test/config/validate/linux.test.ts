/** Devices, labels and paths. */
import { describe, expect, test } from "vitest";
import { accepted, asRoot, judge, onLinux, refused } from "../support/judge.ts";

describe("devices and labels", () => {
  const device = (part: object) => onLinux({ devices: [{ type: "c", path: "/dev/x", major: 1, minor: 3, ...part }] });
  test.each<[object, string, RegExp]>([
    [{ path: "\0" }, "/linux/devices/0/path", /null byte/],
    [{ major: -1 }, "/linux/devices/0/major", /0 to 4095/],
    [{ major: 4096 }, "/linux/devices/0/major", /0 to 4095/],
    [{ minor: 1048576 }, "/linux/devices/0/minor", /0 to 1048575/],
  ])("a device with %j is refused", (part, pointer, rule) => refused(device(part), pointer, rule));
  test("a FIFO has no numbers", () =>
    accepted(onLinux({ devices: [{ type: "p", path: "/dev/x", major: -1, minor: -1 }] })));
  test("a mount label has its parts", () => {
    refused(onLinux({ mountLabel: "x" }), "/linux/mountLabel", /user:role:type/);
    accepted(onLinux({ mountLabel: "system_u:object_r:container_file_t:s0" }));
  });
  test.each(["maskedPaths", "readonlyPaths"] as const)("%s have no NUL", (name) => {
    refused(onLinux({ [name]: ["/a", "/\0"] }), `/linux/${name}/1`, /null byte/);
  });
  test.each(["maskedPaths", "readonlyPaths"] as const)(
    "relative %s are taken from /, which only validate remarks",
    (name) => {
      const relative = onLinux({ [name]: ["x"] });
      accepted(relative);
      expect(judge(relative, { ...asRoot, forCreate: false })).toEqual([expect.stringContaining("is taken from /")]);
    },
  );
  test("the cgroup's path has no NUL", () =>
    refused(onLinux({ cgroupsPath: "\0" }), "/linux/cgroupsPath", /null byte/));
});
