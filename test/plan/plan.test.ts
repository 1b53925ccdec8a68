import { describe, expect, it } from "vitest";
import type { Linux, Process, Spec } from "../../src/config/types.ts";
import type { CgroupLocation } from "../../src/plan/cgroups.ts";
import { describeParentContainer } from "../../src/plan/parent-container.ts";
import { type Plan, type PlanInput, planContainer } from "../../src/plan/plan.ts";
import { describeBy } from "../../src/plan/step.ts";
import { rootHost } from "../support/host.ts";

const process: Process = { args: ["true"], cwd: "/", env: ["PATH=/bin", "HOME=/root"] };
const namespaces: Linux["namespaces"] = [{ type: "pid" }, { type: "mount" }, { type: "uts" }];
const proc = { destination: "/proc", type: "proc", source: "proc" };

function plan(spec: Partial<Spec>, given: Partial<PlanInput> = {}): Plan {
  const whole: Spec = { ociVersion: "1.3.0", process, mounts: [proc], linux: { namespaces }, hostname: "h", ...spec };
  return planContainer({
    id: "c1",
    spec: whole,
    process,
    bundle: "/bundle",
    rootfs: "/bundle/rootfs",
    host: rootHost,
    cgroup: { driver: "disabled", hierarchies: [] },
    noPivot: false,
    noNewKeyring: false,
    passedFds: 0,
    listenFds: 0,
    softNofile: null,
    pidfdSockets: [],
    notifies: false,
    state: { ociVersion: "1.3.0", id: "c1", status: "creating", pid: 0, bundle: "/bundle" },
    ...given,
  });
}

/** The kinds of the init's steps. */
const kinds = (spec: Partial<Spec>) => plan(spec).init.map(({ kind }) => kind as string);

describe("planContainer: the parent's side", () => {
  const cgroups = (...versions: (1 | 2)[]): CgroupLocation => ({
    driver: "cgroupfs",
    mode: "v1",
    explicit: true,
    rootless: false,
    hierarchies: versions.map((version) => ({
      version,
      controllers: [],
      mountPoint: "/c",
      directory: `/c/${version}`,
    })),
  });
  const parents = (spec: Partial<Spec>, given: Partial<PlanInput> = {}) =>
    plan(spec, { cgroup: cgroups(1, 2), ...given }).parent.map(({ kind }) => kind as string);

  it("writes down what is about to be made before anything is made", () => {
    const made = parents({ linux: { namespaces, intelRdt: { closID: "" } } }, { notifies: true });
    expect(made.slice(0, 4)).toEqual([
      "find-class-of-service",
      "write-state",
      "make-start-fifo",
      "make-notify-directory",
    ]);
  });

  it("makes the v2 cgroup before the fork, and those of v1 beside the init, which has its limits after most of its work", () => {
    const planned = parents({ linux: { namespaces, uidMappings: [], gidMappings: [] } });
    const order = ["make-cgroups", "fork-init", "restrict-devices", "admit", "answer", "limit-resources", "complete"];
    expect(planned.filter((kind) => order.includes(kind))).toEqual([
      "make-cgroups",
      "fork-init",
      ...order.slice(0, 1),
      ...order.slice(2),
    ]);
  });

  it("makes no cgroups where there are none, and restricts no devices in a user namespace", () => {
    const host = { ...rootHost, inUserNamespace: true };
    const planned = parents({}, { cgroup: { driver: "disabled", hierarchies: [] }, host });
    expect(planned).not.toContain("make-cgroups");
    expect(planned).not.toContain("restrict-devices");
  });

  it("gives the v2 cgroup to the container's user before the container can show it", () => {
    const linux: Linux = { namespaces: [...(namespaces ?? []), { type: "cgroup" }] };
    const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] }];
    const user = { ...process, user: { uid: 5, gid: 0 } };
    const cgroup = { ...cgroups(2), mode: "v2" } as CgroupLocation;
    const planned = parents({ linux, mounts, process: user }, { cgroup });
    const order = ["make-cgroups", "delegate-cgroup", "fork-init"];
    expect(planned.filter((kind) => order.includes(kind))).toEqual(order);
  });

  it("answers until the hooks are due, which find limits set and the state on disk, and the container not complete", () => {
    const hooks = { prestart: [{ path: "/a" }], createRuntime: [{ path: "/b" }] };
    const planned = parents({ hooks });
    expect(planned.slice(planned.indexOf("answer"))).toEqual([
      ...["answer", "limit-resources", "write-state", "run-hooks", "run-hooks", "hooks-done"],
      ...["answer", "prepare-complete", "complete", "let-go"],
    ]);
  });

  it("tells who asked of the process before the container counts as created", () => {
    const planned = parents({}, { pidFile: "/p", pidfdSockets: [{ to: "--pidfd-socket", path: "/s" }] });
    expect(planned.slice(-4)).toEqual(["send-pidfd", "write-pid-file", "complete", "let-go"]);
  });

  it("says each step in words", () => {
    for (const step of plan({ hooks: { prestart: [{ path: "/a" }] } }, { cgroup: cgroups(1, 2) }).parent) {
      expect(describeBy([describeParentContainer], step)).toMatch(/ /);
    }
  });
});

describe("planContainer: when the init waits for its parent's work", () => {
  const wait = (spec: Partial<Spec>) => kinds(spec).indexOf("wait-for-parent");

  it("after all that the container's own mount namespace needs, and before it is the user's", () => {
    const order = ["mount", "pivot-root", "set-hostname", "wait-for-parent", "set-uid", "report-ready", "execute"];
    expect(kinds({}).filter((kind) => order.includes(kind))).toEqual(order);
  });

  it("waits once", () => {
    expect(kinds({}).filter((kind) => kind === "wait-for-parent")).toHaveLength(1);
  });

  it.each(["prestart", "createRuntime", "createContainer"])(
    "before %s hooks, which find the process in its cgroups",
    (hook) => {
      const steps = kinds({ hooks: { [hook]: [{ path: "/bin/true" }] } });
      const at = steps.indexOf("wait-for-parent");
      expect(at).toBeGreaterThan(steps.indexOf("mount"));
      expect(steps[at + 1]).toMatch(/-hooks$/);
    },
  );

  const sysfs = { destination: "/sys", type: "sysfs", source: "sysfs" };

  it.each([
    ["v2, mounted", { destination: "/sys/fs/cgroup", type: "cgroup2", source: "cgroup2" }],
    // Without a cgroup namespace that comes to binds.
    ["v1, bound", { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" }],
    ["charged for copied contents", { destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }],
  ])("before the first mount that needs the cgroup: %s", (_, mount) => {
    const steps = kinds({ mounts: [proc, sysfs, mount] });
    const at = steps.indexOf("wait-for-parent");
    expect(steps.slice(0, at).filter((kind) => kind === "mount")).toHaveLength(2);
    expect(steps[at + 1]).toBe("mount");
  });

  it("makes a cgroup namespace as soon as it is in its cgroups", () => {
    const linux: Linux = { namespaces: [...namespaces, { type: "cgroup" }] };
    const steps = kinds({ linux, mounts: [proc, { destination: "/c", type: "cgroup", source: "cgroup" }] });
    const at = steps.indexOf("wait-for-parent");
    expect(steps[at - 1]).toBe("mount");
    expect(steps.slice(at + 1, at + 3)).toEqual(["unshare", "mount"]);
    expect(kinds({ linux })[kinds({ linux }).indexOf("wait-for-parent") + 1]).toBe("unshare");
  });

  it.each<[string, Partial<Spec>]>([
    ["a user namespace, whose maps the parent writes", { linux: { namespaces: [...namespaces, { type: "user" }] } }],
    ["a namespace to join", { linux: { namespaces: [...namespaces, { type: "ipc", path: "/proc/1/ns/ipc" }] } }],
    ["the host's mount namespace", { linux: { namespaces: [{ type: "pid" }] } }],
    ["network devices, which sysctls may be about", { linux: { namespaces, netDevices: { eth0: {} } } }],
  ])("at first, with %s", (_, spec) => {
    expect(wait(spec)).toBe(0);
  });
});
