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
    cgroup: { driver: "disabled" },
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

  it.each<[string, Partial<Spec>]>([
    ["a user namespace, whose maps the parent writes", { linux: { namespaces: [...namespaces, { type: "user" }] } }],
    ["a cgroup namespace", { linux: { namespaces: [...namespaces, { type: "cgroup" }] } }],
    ["a namespace to join", { linux: { namespaces: [...namespaces, { type: "ipc", path: "/proc/1/ns/ipc" }] } }],
    ["the host's mount namespace", { linux: { namespaces: [{ type: "pid" }] } }],
    ["a mount of cgroups", { mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup2", source: "cgroup2" }] }],
    ["network devices, which sysctls may be about", { linux: { namespaces, netDevices: { eth0: {} } } }],
    // On v1, without a cgroup namespace, that comes to binds.
    ["cgroups to bind", { mounts: [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" }] }],
    [
      "contents to copy, which are charged to the cgroup",
      { mounts: [{ destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }] },
    ],
  ])("at first, with %s", (_, spec) => {
    expect(wait(spec)).toBe(0);
  });
});
