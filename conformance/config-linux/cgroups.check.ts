/** config-linux.md, "Control groups": where they are, and each limit as the kernel shows it, on v1 and on v2. */
import { existsSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { cgroupsOf, hierarchies } from "../harness/cgroups.ts";
import { check } from "../harness/check.ts";
import type { Subject } from "../harness/subject.ts";

const ROOT = "/sys/fs/cgroup";

/** Whether all controllers are in the v2 hierarchy. */
const unified = existsSync(join(ROOT, "cgroup.controllers"));

/** The directory of a process's cgroup for a controller; `null` when this machine has none. */
function cgroupOf(pid: number, controller: string): string | null {
  const own = cgroupsOf(pid);
  if (!unified) return own.find(({ version, names }) => version === 1 && names.includes(controller))?.directory ?? null;
  const controllers = readFileSync(join(ROOT, "cgroup.controllers"), "utf8").split(/\s+/);
  return controllers.includes(controller) ? (own.find(({ version }) => version === 2)?.directory ?? null) : null;
}

/** A limit, and the file that holds it, on v1 and on v2; `null` where the version has no such file. */
interface Limit {
  title: string;
  controller: string;
  resources: Record<string, unknown>;
  v1: [file: string, content: string | RegExp] | null;
  v2: [file: string, content: string | RegExp] | null;
}

const LIMITS: readonly Limit[] = [
  {
    title: "memory.limit",
    controller: "memory",
    resources: { memory: { limit: 67108864 } },
    v1: ["memory.limit_in_bytes", "67108864"],
    v2: ["memory.max", "67108864"],
  },
  {
    title: "memory.reservation",
    controller: "memory",
    resources: { memory: { limit: 67108864, reservation: 33554432 } },
    v1: ["memory.soft_limit_in_bytes", "33554432"],
    v2: ["memory.low", "33554432"],
  },
  {
    title: "memory.swappiness",
    controller: "memory",
    resources: { memory: { swappiness: 10 } },
    v1: ["memory.swappiness", "10"],
    v2: null,
  },
  {
    title: "memory.disableOOMKiller",
    controller: "memory",
    resources: { memory: { limit: 67108864, disableOOMKiller: true } },
    v1: ["memory.oom_control", /oom_kill_disable 1/],
    v2: null,
  },
  {
    title: "cpu.shares 512",
    controller: "cpu",
    resources: { cpu: { shares: 512 } },
    v1: ["cpu.shares", "512"],
    v2: ["cpu.weight", /^(20|59)$/],
  },
  {
    title: "cpu.quota and cpu.period",
    controller: "cpu",
    resources: { cpu: { quota: 20000, period: 100000 } },
    v1: ["cpu.cfs_quota_us", "20000"],
    v2: ["cpu.max", "20000 100000"],
  },
  {
    title: "cpu.period",
    controller: "cpu",
    resources: { cpu: { quota: 20000, period: 50000 } },
    v1: ["cpu.cfs_period_us", "50000"],
    v2: ["cpu.max", "20000 50000"],
  },
  {
    title: "cpu.idle",
    controller: "cpu",
    resources: { cpu: { idle: 1 } },
    v1: ["cpu.idle", "1"],
    v2: ["cpu.idle", "1"],
  },
  {
    title: "cpu.cpus",
    controller: "cpuset",
    resources: { cpu: { cpus: "0" } },
    v1: ["cpuset.cpus", "0"],
    v2: ["cpuset.cpus", "0"],
  },
  {
    title: "cpu.mems",
    controller: "cpuset",
    resources: { cpu: { mems: "0" } },
    v1: ["cpuset.mems", "0"],
    v2: ["cpuset.mems", "0"],
  },
  {
    title: "pids.limit",
    controller: "pids",
    resources: { pids: { limit: 42 } },
    v1: ["pids.max", "42"],
    v2: ["pids.max", "42"],
  },
  {
    title: "pids.limit -1",
    controller: "pids",
    resources: { pids: { limit: -1 } },
    v1: ["pids.max", "max"],
    v2: ["pids.max", "max"],
  },
  {
    title: "network.classID",
    controller: "net_cls",
    resources: { network: { classID: 1048577 } },
    v1: ["net_cls.classid", "1048577"],
    v2: null,
  },
  {
    title: "network.priorities",
    controller: "net_prio",
    resources: { network: { priorities: [{ name: "lo", priority: 500 }] } },
    v1: ["net_prio.ifpriomap", /^lo 500$/m],
    v2: null,
  },
  {
    title: "hugepageLimits",
    controller: "hugetlb",
    resources: { hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }] },
    v1: ["hugetlb.2MB.limit_in_bytes", "4194304"],
    v2: ["hugetlb.2MB.max", "4194304"],
  },
];

for (const { title, controller, resources, v1, v2 } of LIMITS) {
  check(
    "runtime/create-properties-configured-config-json",
    `the limit ${title} is in the kernel's file`,
    async (subject) => {
      const expected = unified ? v2 : v1;
      if (expected === null) return subject.skip(`cgroup ${unified ? "v2" : "v1"} has no such limit`);
      const id = await subject
        .create("true", ({ linux }) => {
          linux.resources = { ...linux.resources, ...resources };
          linux.cgroupsPath = `/conformance-${process.pid}/${title.replace(/\W+/g, "-")}`;
        })
        .catch((error) => unsupported(subject, controller, error));
      const [file, content] = expected;
      const directory = cgroupOf((await subject.state(id)).pid ?? 0, controller);
      if (directory === null) return subject.skip(`needs the cgroup controller ${controller}`);
      parentGoes(subject);
      if (!existsSync(join(directory, file))) return subject.skip(`this kernel has no ${file}`);
      const found = readFileSync(join(directory, file), "utf8").trim();
      if (typeof content === "string") expect(found).toBe(content);
      else expect(found).toMatch(content);
    },
  );
}

/** A limit of a controller that this machine lacks may fail; any other may not. */
function unsupported(subject: Subject, controller: string, error: unknown): never {
  if (cgroupOf(process.pid, controller) === null) return subject.skip(`needs the cgroup controller ${controller}`);
  throw error;
}

check(
  "config-linux/cgroups-path-case-absolute-path-starting",
  "an absolute cgroupsPath is below the mount point",
  async (subject) => {
    const path = `/conformance-${process.pid}/absolute`;
    const id = await subject.create("true", ({ linux }) => {
      linux.cgroupsPath = path;
    });
    parentGoes(subject);
    const directory = cgroupOf((await subject.state(id)).pid ?? 0, "pids");
    if (directory === null) return subject.skip("needs the cgroup controller pids");
    expect(directory.endsWith(path), directory).toBe(true);
  },
);

check(
  "config-linux/cgroups-path-cgroupspath-either-absolute-path",
  "a relative cgroupsPath is accepted, and is the cgroup's end",
  async (subject) => {
    const id = await subject.create("true", ({ linux }) => {
      linux.cgroupsPath = `conformance-${process.pid}-relative`;
    });
    const directory = cgroupOf((await subject.state(id)).pid ?? 0, "pids");
    if (directory === null) return subject.skip("needs the cgroup controller pids");
    expect(directory).toContain(`conformance-${process.pid}-relative`);
  },
);

check(
  "config-linux/cgroups-path-specified-consistently-attach-same",
  "one cgroupsPath leads to one place, each time",
  async (subject) => {
    const places: (string | null)[] = [];
    for (let round = 0; round < 2; round++) {
      const id = await subject.create("true", ({ linux }) => {
        linux.cgroupsPath = `/conformance-${process.pid}/same`;
      });
      parentGoes(subject);
      places.push(cgroupOf((await subject.state(id)).pid ?? 0, "pids"));
      await subject.succeed(["delete", "--force", id]);
    }
    expect(places[0]).toBe(places[1]);
  },
);

check("runtime/delete-deleting-delete-resources-were", "the cgroup is gone after delete", async (subject) => {
  const id = await subject.create("true", ({ linux }) => {
    linux.cgroupsPath = `/conformance-${process.pid}/gone`;
  });
  parentGoes(subject);
  const directory = cgroupOf((await subject.state(id)).pid ?? 0, "pids");
  if (directory === null) return subject.skip("needs the cgroup controller pids");
  expect(existsSync(directory)).toBe(true);
  await subject.succeed(["delete", "--force", id]);
  expect(existsSync(directory)).toBe(false);
});

check(
  "config-linux/cgroups-path-consider-certain-cgroupspath-invalid",
  "a cgroupsPath does not leave its hierarchy",
  async (subject) => {
    const id = subject.newId();
    const bundle = subject.bundle("true", ({ linux }) => {
      linux.cgroupsPath = `../../../conformance-${process.pid}-up`;
    });
    const { code } = await subject.command(["create", "--bundle", bundle.path, id]);
    expect(code, "create ended").not.toBeNull();
    if (code !== 0) return;
    const line = readFileSync(`/proc/${(await subject.state(id)).pid}/cgroup`, "utf8");
    expect(line).not.toContain("/..");
  },
);

check("runtime/create-properties-configured-config-json", "a pids limit is felt", async (subject) => {
  if (cgroupOf(process.pid, "pids") === null) return subject.skip("needs the cgroup controller pids");
  const { stderr, stdout } = await subject.run("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait", ({ linux }) => {
    linux.resources = { ...linux.resources, pids: { limit: 4 } };
  });
  expect(stdout + stderr).toMatch(/can't fork|Resource temporarily unavailable/);
});

check("runtime/create-properties-configured-config-json", "a memory limit is felt", async (subject) => {
  if (cgroupOf(process.pid, "memory") === null) return subject.skip("needs the cgroup controller memory");
  const { code } = await subject.run("x=$(yes | head -c 60000000); echo $x | wc -c", ({ linux }) => {
    linux.resources = { ...linux.resources, memory: { limit: 16777216, swap: 16777216 } };
  });
  expect(code, "the exit code of a shell that uses more than its limit").not.toBe(0);
});

check("config-linux/memory-kernel-sets-hard-limit", "a kernel memory limit does no harm", async (subject) => {
  if (cgroupOf(process.pid, "memory") === null) return subject.skip("needs the cgroup controller memory");
  await subject.runs(({ linux }) => {
    linux.resources = { ...linux.resources, memory: { limit: 67108864, kernel: 67108864 } };
  });
});

check("config-linux/cpu-quota-total-amount-time", "a negative quota means no limit", async (subject) => {
  if (cgroupOf(process.pid, "cpu") === null) return subject.skip("needs the cgroup controller cpu");
  await subject.runs(({ linux }) => {
    linux.resources = { ...linux.resources, cpu: { quota: -1 } };
  });
});

check(
  "config-linux/unified-generate-error-configuration-refers",
  "a unified key of an unknown controller is refused",
  async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux.resources = { ...linux.resources, unified: { "nosuchcontroller.max": "1" } };
    });
  },
);

check(
  "config-linux/unified-configuration-unknown-still-written",
  "a unified key is written to its file",
  async (subject) => {
    if (!unified || cgroupOf(process.pid, "pids") === null) return subject.skip("needs cgroup v2 with all controllers");
    const id = await subject.create("true", ({ linux }) => {
      linux.resources = { ...linux.resources, unified: { "pids.max": "77" } };
    });
    const directory = cgroupOf((await subject.state(id)).pid ?? 0, "pids") ?? "";
    expect(readFileSync(join(directory, "pids.max"), "utf8").trim()).toBe("77");
  },
);

/** Where a container has been in a cgroup below one of ours, that goes afterwards. */
function parentGoes(subject: Subject): void {
  subject.afterwards(() => {
    const name = `conformance-${process.pid}`;
    const places = hierarchies();
    setTimeout(() => {
      for (const { mountPoint } of places) {
        try {
          rmdirSync(join(mountPoint, name));
        } catch {
          // Not there, or another check's container is in it.
        }
      }
    }, 0);
  });
}
