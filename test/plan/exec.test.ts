import { expect, test } from "vitest";
import type { Process } from "../../src/config/types.ts";
import { planExec } from "../../src/plan/exec.ts";
import { rootHost } from "../support/host.ts";

function plan(process: Partial<Process>) {
  const whole = { args: ["true"], cwd: "/", ...process };
  return planExec({
    id: "c1",
    process: whole,
    spec: { ociVersion: "1.3.0", process: whole },
    host: rootHost,
    noNewKeyring: false,
    passedFds: 0,
    listenFds: 0,
    softNofile: null,
    pidfdSockets: [],
  });
}

const kinds = (process: Partial<Process>) => plan(process).init.map(({ kind }) => kind as string);

test("the process enters the cgroups at once", () => {
  const planned = kinds({});
  expect(planned[0]).toBe("enter-cgroups");
  expect(planned).not.toContain("wait-for-parent");
});

test("it waits for an initial CPU affinity, which is for the time before the cgroups", () => {
  const planned = kinds({ execCPUAffinity: { initial: "0" } });
  expect(planned[0]).toBe("wait-for-parent");
  expect(planned).not.toContain("enter-cgroups");
});

test.each([
  ["limits", { rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 }] }],
  ["an initial CPU affinity", { execCPUAffinity: { initial: "0" } }],
])("it waits for what the parent does to it before it becomes another user: %s", (_, process) => {
  const planned = kinds({ ...process, user: { uid: 1000, gid: 1000 } });
  const waits = planned.indexOf("wait-for-parent");
  expect(waits).toBeGreaterThan(planned.indexOf("enter-cgroups"));
  for (const kind of ["set-uid", "set-gid", "set-groups", "set-capabilities", "become-root"]) {
    const at = planned.indexOf(kind);
    if (at >= 0) expect(at, kind).toBeGreaterThan(waits);
  }
  expect(planned).toContain("set-uid");
});

test("it inherits its OOM score: nobody but root may write that of a process that cannot be traced", () => {
  const { parent, init } = plan({ oomScoreAdj: 100 });
  expect(parent[0]).toMatchObject({ kind: "fork-into", oomScoreAdj: 100 });
  expect(parent.map(({ kind }) => kind)).not.toContain("oom-score-adj");
  expect(init.map(({ kind }) => kind)).not.toContain("wait-for-parent");
});

test("the parent has let it go on before it asks, unless something is to be done in between", () => {
  const parents = (process: Partial<Process>) => plan(process).parent.map(({ kind }) => kind);
  expect(parents({})).toEqual(["fork-into", "allow", "answer", "let-go"]);
  expect(parents({ terminal: true })).toEqual(["fork-into", "answer", "let-go"]);
});

test("it is confined as the container is, unless its own process says otherwise", () => {
  const container = { args: ["true"], cwd: "/", apparmorProfile: "web", selinuxLabel: "u:r:t:s0" };
  const labels = (process: Partial<Process>) => {
    const { init } = planExec({
      id: "c1",
      process: { args: ["true"], cwd: "/", ...process },
      spec: { ociVersion: "1.3.0", process: container },
      host: { ...rootHost, selinux: true },
      noNewKeyring: false,
      passedFds: 0,
      listenFds: 0,
      softNofile: null,
      pidfdSockets: [],
    });
    return init.flatMap((step) =>
      step.kind === "apparmor-profile"
        ? [step.profile]
        : step.kind === "selinux-label" || step.kind === "selinux-key-label"
          ? [`${step.kind} ${step.label}`]
          : [],
    );
  };
  expect(labels({})).toEqual(["selinux-key-label u:r:t:s0", "web", "selinux-label u:r:t:s0"]);
  // A wish of its own, and not none.
  expect(labels({ apparmorProfile: "unconfined" })).toContain("unconfined");
  expect(labels({ apparmorProfile: "other" })).not.toContain("web");
  expect(labels({ selinuxLabel: "u:r:o:s0" })).toContain("selinux-key-label u:r:o:s0");
});
