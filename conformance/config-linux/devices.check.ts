/** config-linux.md, "Devices", "Default Devices", "Default Filesystems", and the device rules of cgroups. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";

/** Default devices with their numbers. */
const DEFAULTS: Readonly<Record<string, string>> = {
  "/dev/null": "1:3",
  "/dev/zero": "1:5",
  "/dev/full": "1:7",
  "/dev/random": "1:8",
  "/dev/urandom": "1:9",
  "/dev/tty": "5:0",
};

/** Prints type and numbers of a node: `c 1:3`. */
const NUMBERS = (path: string): string => `stat -c '%F %t:%T' ${path}`;

for (const [path, numbers] of Object.entries(DEFAULTS)) {
  check(
    "config-linux/default-devices-addition-devices-configured-setting",
    `${path} is there, and works`,
    async (subject) => {
      expect(await subject.output(NUMBERS(path))).toBe(`character special file ${numbers}`);
      const probe =
        path === "/dev/full" ? "echo x > /dev/full" : path === "/dev/tty" ? "false" : `head -c 1 ${path} > /dev/null`;
      const { code } = await subject.run(probe);
      expect(code === 0, `${probe} succeeds`).toBe(path !== "/dev/full" && path !== "/dev/tty");
    },
  );
}

check(
  "config-linux/default-devices-addition-devices-configured-setting",
  "/dev/ptmx leads to the container's own pts",
  async (subject) => {
    expect(await subject.output("readlink -f /dev/ptmx")).toBe("/dev/pts/ptmx");
  },
);

for (const [link, target] of [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
] as const) {
  check(
    "config-linux/default-devices-addition-devices-configured-setting",
    `${link} is a link to ${target}`,
    async (subject) => {
      expect(await subject.output(`readlink ${link}`)).toBe(target);
    },
  );
}

for (const [path, type] of [
  ["/proc", "proc"],
  ["/sys", "sysfs"],
  ["/dev/pts", "devpts"],
  ["/dev/shm", "tmpfs"],
] as const) {
  check(
    "config-linux/default-filesystems-following-filesystems-made-available",
    `${path} is a ${type}`,
    async (subject) => {
      expect((await subject.sight()).mounts.find(({ destination }) => destination === path)?.type).toBe(type);
    },
  );
}

const ALLOW_ALL = [{ allow: true, access: "rwm" }];

/** A device with its node as stat shows it. */
const DEVICES: readonly [entry: Record<string, unknown>, shown: string][] = [
  [{ type: "c", major: 10, minor: 229, path: "/dev/fuse2" }, "character special file a:e5"],
  [{ type: "u", major: 1, minor: 3, path: "/dev/unbuffered" }, "character special file 1:3"],
  [{ type: "b", major: 7, minor: 9, path: "/dev/block" }, "block special file 7:9"],
  [{ type: "p", path: "/dev/pipe" }, "fifo 0:0"],
  [{ type: "c", major: 1, minor: 3, path: "/new/directory/null" }, "character special file 1:3"],
];

for (const [entry, shown] of DEVICES) {
  check(
    "config-linux/devices-devices-objects-lists-devices",
    `a device of type ${entry["type"]} at ${entry["path"]} is made`,
    async (subject) => {
      const output = await subject.output(NUMBERS(String(entry["path"])), ({ linux }) => {
        linux.devices = [entry];
        linux.resources = { devices: ALLOW_ALL };
      });
      expect(output).toBe(shown);
    },
  );
}

check(
  "config-linux/devices-devices-objects-lists-devices",
  "fileMode, uid and gid of a device are those given",
  async (subject) => {
    const output = await subject.output("stat -c '%a %u %g' /dev/own", ({ linux }) => {
      linux.devices = [{ type: "c", major: 1, minor: 3, path: "/dev/own", fileMode: 0o640, uid: 11, gid: 22 }];
      linux.resources = { devices: ALLOW_ALL };
    });
    expect(output).toBe("640 11 22");
  },
);

for (const [what, make] of [
  ["a file", (path: string) => writeFileSync(path, "")],
  ["a directory", (path: string) => mkdirSync(path)],
] as const) {
  check(
    "config-linux/devices-file-already-exists-at",
    `a device at whose path ${what} lies is refused`,
    async (subject) => {
      await subject.refusesConfig((spec, { rootfs }) => {
        make(join(rootfs, "taken"));
        spec.linux.devices = [{ type: "c", major: 1, minor: 3, path: "/taken" }];
      });
    },
  );
}

check(
  "config-linux/devices-file-already-exists-at",
  "a device is not made through a symlink that leads out of the root",
  async (subject) => {
    const outside = join(subject.directory, "outside");
    mkdirSync(outside);
    await subject.runsOrRefuses((spec, { rootfs }) => {
      symlinkSync(outside, join(rootfs, "link"));
      spec.linux.devices = [{ type: "c", major: 1, minor: 3, path: "/link/null" }];
      spec.linux.resources = { devices: ALLOW_ALL };
    });
    const { readdirSync } = await import("node:fs");
    expect(readdirSync(outside)).toEqual([]);
  },
);

for (const [what, entry] of [
  ["without type", { path: "/dev/x", major: 1, minor: 3 }],
  ["without path", { type: "c", major: 1, minor: 3 }],
  ["without numbers", { type: "c", path: "/dev/x" }],
  ["of an unknown type", { type: "x", path: "/dev/x", major: 1, minor: 3 }],
] as const) {
  check(
    {
      "without path": "config-linux/devices-path-full-path-device",
      "without numbers": "config-linux/devices-major-minor-unless-type",
    }[what as string] ?? "config-linux/devices-type-type-device",
    `a device ${what} is refused`,
    async (subject) => {
      await subject.refusesConfig(({ linux }) => {
        linux.devices = [entry];
      });
    },
  );
}

// A number that the kernel leaves to experiments: no driver answers, and no capability is asked for before the rules are, as for /dev/kmsg.
const UNUSED = { type: "c", major: 240, minor: 77 };
const OPENED = "No such device or address";
const REFUSED = "Operation not permitted";
const MAKE_ONLY = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
];

for (const [requirement, what, rules, expected] of [
  ["allow-boolean-whether-entry", "a device that no rule allows cannot be opened", [], REFUSED],
  [
    "allow-boolean-whether-entry",
    "a device that a rule allows can be opened",
    [{ ...UNUSED, allow: true, access: "rw" }],
    OPENED,
  ],
  [
    "apply-entries-listed-order",
    "a later rule wins: allowed, then denied",
    [
      { ...UNUSED, allow: true, access: "rw" },
      { ...UNUSED, allow: false, access: "rw" },
    ],
    REFUSED,
  ],
  [
    "apply-entries-listed-order",
    "a later rule wins: denied, then allowed",
    [
      { ...UNUSED, allow: false, access: "rw" },
      { ...UNUSED, allow: true, access: "rw" },
    ],
    OPENED,
  ],
] as const) {
  check(`config-linux/device-allowedlist-${requirement}`, what, async (subject) => {
    const output = await subject.output("mknod /tmp/device c 240 77 && cat /tmp/device 2>&1 || true", (spec) => {
      spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["dev"] });
      spec.linux.resources = { devices: [...MAKE_ONLY, ...rules] };
    });
    expect(output).toContain(expected);
  });
}
