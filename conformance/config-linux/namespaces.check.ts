/** config-linux.md, "Namespaces", "User namespace mappings", "Offset for Time Namespace". */
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { Linux } from "../harness/spec.ts";
import { type Subject, until } from "../harness/subject.ts";

/** Types as config.json has them, and the kernel's names. */
const TYPES = {
  pid: "pid",
  network: "net",
  ipc: "ipc",
  uts: "uts",
  mount: "mnt",
  cgroup: "cgroup",
  time: "time",
} as const;

type Type = keyof typeof TYPES;

const ENTRIES = Object.entries(TYPES) as [Type, string][];

for (const [type, name] of ENTRIES) {
  check(
    "config-linux/namespaces-path-specified-create-new",
    `a ${type} namespace without path is a new one`,
    async (subject) => {
      needs(subject, name);
      const { namespaces } = await subject.sight(({ linux }) => ensure(linux, type));
      expect(namespaces[name]).toMatch(new RegExp(`^${name}:\\[\\d+\\]$`));
      expect(namespaces[name]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    },
  );

  // Without a mount namespace the root filesystem could not be the container's alone.
  if (type !== "mount") {
    check(
      "config-linux/namespaces-namespace-type-specified-namespaces",
      `without a ${type} namespace the runtime's is shared`,
      async (subject) => {
        needs(subject, name);
        const { namespaces } = await subject.sight((spec) => {
          drop(spec.linux, type);
          if (type === "uts") delete spec.hostname;
          if (type === "network") {
            // A new sysfs may be mounted only by the owner of the network namespace that it shows.
            spec.mounts = spec.mounts.filter((mount) => mount.type !== "sysfs");
          }
        });
        expect(namespaces[name]).toBe(readlinkSync(`/proc/self/ns/${name}`));
      },
    );
  }

  if (type !== "mount" && type !== "time") {
    check(
      "config-linux/namespaces-place-process-namespace-associated",
      `a ${type} namespace given by path is joined`,
      async (subject) => {
        const path = await foreign(subject, type, name);
        const { namespaces } = await subject.sight((spec) => {
          drop(spec.linux, type);
          spec.linux.namespaces?.push({ type, path });
          if (type === "uts") delete spec.hostname;
        });
        expect(namespaces[name]).toBe(readlinkSync(path));
      },
    );
  }

  check(
    "config-linux/namespaces-generate-error-path-associated",
    `a path that is no ${type} namespace is refused`,
    async (subject) => {
      needs(subject, name);
      const other = name === "uts" ? "ipc" : "uts";
      await subject.refusesConfig((spec) => {
        drop(spec.linux, type);
        spec.linux.namespaces?.push({ type, path: `/proc/self/ns/${other}` });
      });
    },
  );

  check(
    "config-linux/namespaces-namespaces-field-contains-duplicated",
    `two ${type} namespaces are refused`,
    async (subject) => {
      await subject.refusesConfig((spec) => {
        drop(spec.linux, type);
        spec.linux.namespaces?.push({ type }, { type });
      });
    },
  );
}

check(
  "config-linux/namespaces-generate-error-path-associated",
  "a path at which nothing is, is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      drop(spec.linux, "network");
      spec.linux.namespaces?.push({ type: "network", path: "/no/such/namespace" });
    });
  },
);

check(
  "config-linux/namespaces-absolute-path-mount-namespace",
  "a relative path of a namespace is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      drop(spec.linux, "network");
      spec.linux.namespaces?.push({ type: "network", path: "proc/self/ns/net" });
    });
  },
);

check("config-linux/namespaces-type-namespace-type", "a namespace without type is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.linux.namespaces?.push({} as never);
  });
});

check("config-linux/namespaces-type-namespace-type", "a namespace of an unknown type is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.linux.namespaces?.push({ type: "mnt2" });
  });
});

check(
  "config-linux/namespaces-path-specified-create-new",
  "a new network namespace has a loopback device only",
  async (subject) => {
    expect(await subject.output("ls /sys/class/net")).toBe("lo");
  },
);

check(
  { convention: "The loopback device of a new network namespace is up." },
  "the loopback device is up",
  async (subject) => {
    expect(await subject.output("ip -o link show lo")).toMatch(/<.*\bUP\b.*>/);
  },
);

check(
  "config-linux/namespaces-path-specified-create-new",
  "a new pid namespace shows the container's processes alone",
  async (subject) => {
    expect((await subject.output("ls -d /proc/[0-9]*")).split("\n")[0]).toBe("/proc/1");
  },
);

/** Maps container ids 0 to 65535 to host ids from 100000 on. */
function mapped(linux: Linux, size = 65536): void {
  linux.namespaces?.push({ type: "user" });
  linux["uidMappings"] = [{ containerID: 0, hostID: 100000, size }];
  linux["gidMappings"] = [{ containerID: 0, hostID: 200000, size }];
}

check(
  "config-linux/user-namespace-mappings-hostid-starting-uid-gid",
  "ids in a user namespace are those of the mappings",
  async (subject) => {
    const output = await subject.output("cat /proc/self/uid_map /proc/self/gid_map", ({ linux }) => mapped(linux));
    expect(output.split("\n").map((line) => line.trim().split(/\s+/).map(Number))).toEqual([
      [0, 100000, 65536],
      [0, 200000, 65536],
    ]);
  },
);

check(
  "config-linux/user-namespace-mappings-containerid-starting-uid-gid",
  "the program's host ids are the mapped ones",
  async (subject) => {
    const id = await subject.start("sleep 1000", ({ linux, process }) => {
      mapped(linux);
      process.user = { uid: 5, gid: 6 };
    });
    const { pid } = await subject.state(id);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(/^Uid:\s*(\d+)/m.exec(status)?.[1]).toBe("100005");
    expect(/^Gid:\s*(\d+)/m.exec(status)?.[1]).toBe("200006");
  },
);

check(
  {
    convention: "What a container is given of the machine, such as /dev/null as its input, does not change its owner.",
  },
  "the machine's devices keep their owners when a user namespace is new",
  async (subject) => {
    await subject.runs(({ linux }) => mapped(linux));
    expect(subject.hostDevices.changes()).toEqual([]);
  },
);

check(
  "config-linux/user-namespace-mappings-size-number-ids-mapped",
  "several mappings are all there",
  async (subject) => {
    const output = await subject.output("cat /proc/self/uid_map", ({ linux }) => {
      mapped(linux, 10);
      linux["uidMappings"] = [
        { containerID: 0, hostID: 100000, size: 10 },
        { containerID: 10, hostID: 300000, size: 20 },
      ];
    });
    expect(output.split("\n").map((line) => line.trim().split(/\s+/).map(Number))).toEqual([
      [0, 100000, 10],
      [10, 300000, 20],
    ]);
  },
);

check(
  "config-linux/user-namespace-mappings-modify-ownership-referenced-filesystems",
  "the owners of the root's files stay",
  async (subject) => {
    const bundle = subject.bundle("echo ran", ({ linux }) => mapped(linux));
    const { stdout } = await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    expect(stdout).toBe("ran\n");
    const { uid, gid } = statSync(`${bundle.rootfs}/bin/busybox`);
    expect([uid, gid]).toEqual([process.getuid?.(), process.getgid?.()]);
  },
);

check(
  "config-linux/user-namespace-mappings-size-number-ids-mapped",
  "a user namespace without mappings is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.linux.namespaces?.push({ type: "user" });
    });
  },
);

check(
  "config-linux/namespaces-following-namespace-types-supported",
  "time offsets are the container's",
  async (subject) => {
    needs(subject, "time");
    const output = await subject.output("cat /proc/self/timens_offsets", ({ linux }) => {
      ensure(linux, "time");
      linux["timeOffsets"] = { boottime: { secs: 172800, nanosecs: 5 }, monotonic: { secs: 86400 } };
    });
    expect(output).toMatch(/^monotonic\s+86400\s+0$/m);
    expect(output).toMatch(/^boottime\s+172800\s+5$/m);
  },
);

check(
  "config-linux/namespaces-following-namespace-types-supported",
  "time offsets without a time namespace are refused",
  async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux["timeOffsets"] = { monotonic: { secs: 1 } };
    });
  },
);

function needs(subject: Subject, name: string): void {
  if (!existsSync(`/proc/self/ns/${name}`)) subject.skip(`this kernel has no ${name} namespaces`);
}

function ensure(linux: Linux, type: Type): void {
  if (!linux.namespaces?.some((namespace) => namespace.type === type)) linux.namespaces?.push({ type });
}

function drop(linux: Linux, type: Type): void {
  linux.namespaces = linux.namespaces?.filter((namespace) => namespace.type !== type) ?? [];
}

/** A new namespace that a process of the check keeps. @returns its path below /proc */
async function foreign(subject: Subject, type: Type, name: string): Promise<string> {
  needs(subject, name);
  const flag = { pid: "--pid", network: "--net", ipc: "--ipc", uts: "--uts", cgroup: "--cgroup" }[type as string] ?? "";
  const args = type === "pid" ? [flag, "--fork", "--kill-child"] : [flag];
  const holder = spawn("unshare", [...args, "sleep", "100"], { stdio: "ignore" });
  subject.afterwards(() => void holder.kill("SIGKILL"));
  const ours = readlinkSync(`/proc/self/ns/${name}`);
  const path = () => `/proc/${type === "pid" ? child(holder.pid ?? 0) : holder.pid}/ns/${name}`;
  await until(`unshare to make a ${type} namespace`, () => {
    try {
      return readlinkSync(path()) !== ours;
    } catch {
      return false;
    }
  });
  return path();
}

function child(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
}
