import { describe, expect, test } from "vitest";
import { detectCgroupMounts, ownCgroups } from "../../src/cgroup/layout.ts";

const v2Only = `23 60 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:2 - sysfs sysfs rw
29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
60 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
`;

const v1Joint = `31 23 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
32 31 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,release_agent=/usr/lib/systemd/systemd-cgroups-agent,name=systemd
33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:11 - cgroup cgroup rw,cpu,cpuacct
34 31 0:30 / /sys/fs/cgroup/cpuset rw,nosuid shared:12 - cgroup cgroup rw,cpuset,clone_children
`;

describe("detectCgroupMounts", () => {
  test("finds the one hierarchy of a v2 machine", () => {
    expect(detectCgroupMounts(v2Only)).toEqual([
      { version: 2, controllers: [], mountPoint: "/sys/fs/cgroup", root: "/" },
    ]);
  });

  test("takes v1 controllers from the options, and nothing else that stands there", () => {
    expect(detectCgroupMounts(v1Joint)).toEqual([
      { version: 1, controllers: ["name=systemd"], mountPoint: "/sys/fs/cgroup/systemd", root: "/" },
      { version: 1, controllers: ["cpu", "cpuacct"], mountPoint: "/sys/fs/cgroup/cpu,cpuacct", root: "/" },
      { version: 1, controllers: ["cpuset"], mountPoint: "/sys/fs/cgroup/cpuset", root: "/" },
    ]);
  });

  test("tells which part of the hierarchy a container in a container sees", () => {
    const line = "400 399 0:31 /docker/4a2f /sys/fs/cgroup/memory ro,nosuid master:18 - cgroup cgroup rw,memory\n";
    expect(detectCgroupMounts(line)[0]?.root).toBe("/docker/4a2f");
  });

  test("decodes the octal escapes of spaces", () => {
    const line = "40 31 0:31 / /mnt/my\\040cgroups rw - cgroup2 none rw\n";
    expect(detectCgroupMounts(line)[0]?.mountPoint).toBe("/mnt/my cgroups");
  });

  test("is not misled by a mount point whose name looks like a filesystem type", () => {
    expect(detectCgroupMounts("40 31 0:31 / /mnt/-\\040cgroup rw - tmpfs cgroup rw\n")).toEqual([]);
  });
});

describe("ownCgroups", () => {
  test("maps each controller of a joint hierarchy, named hierarchies and v2", () => {
    const text = "4:cpu,cpuacct:/a\n3:name=systemd:/user.slice/b:c\n0::/user.slice\n";
    expect([...ownCgroups(text)]).toEqual([
      ["cpu", "/a"],
      ["cpuacct", "/a"],
      ["name=systemd", "/user.slice/b:c"],
      ["", "/user.slice"],
    ]);
  });
});
