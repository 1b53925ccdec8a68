import { describe, expect, it } from "vitest";
import type { Linux, Process, Spec } from "../../src/config/types.ts";
import { planContainer } from "../../src/plan/plan.ts";

const process: Process = { args: ["true"], cwd: "/", env: ["PATH=/bin", "HOME=/root"] };
const namespaces: Linux["namespaces"] = [{ type: "pid" }, { type: "mount" }, { type: "uts" }];
const proc = { destination: "/proc", type: "proc", source: "proc" };

/** The kinds of the init's steps. */
function kinds(spec: Partial<Spec>): string[] {
  const whole: Spec = { ociVersion: "1.3.0", process, mounts: [proc], linux: { namespaces }, hostname: "h", ...spec };
  const { init } = planContainer({
    id: "c1",
    spec: whole,
    process,
    bundle: "/bundle",
    rootfs: "/bundle/rootfs",
    host: { euid: 0, egid: 0, inUserNamespace: false, setgroupsDenied: false, cgroupMounts: [], lastCapability: 40 },
    cgroup: { driver: "disabled", hierarchies: [] },
    noPivot: false,
    noNewKeyring: false,
    passedFds: 0,
    listenFds: 0,
    softNofile: null,
    state: { ociVersion: "1.3.0", id: "c1", status: "creating", pid: 0, bundle: "/bundle" },
  });
  return init.map(({ kind }) => kind);
}

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
