import { describe, expect, it } from "vitest";
import type { Process, Spec } from "../../src/config/types.ts";
import { planAffinity } from "../../src/plan/affinity.ts";
import { planHostProcess } from "../../src/plan/host-process.ts";
import {
  effectiveProcess,
  type ProcessInput,
  type ProcessStep,
  planProcess,
  planSession,
  planSystem,
  planWorkingDirectory,
} from "../../src/plan/process.ts";
import { describeProcess } from "../../src/plan/process-words.ts";
import { rootHost } from "../support/host.ts";

const minimal: Process = { args: ["true"], cwd: "/", env: ["PATH=/bin", "HOME=/root"] };

function input(
  overrides: Partial<ProcessInput> = {},
  process: Partial<Process> = {},
  spec: Partial<Spec> = {},
): ProcessInput {
  const whole = { ...minimal, ...process };
  return {
    purpose: "init",
    id: "c1",
    process: whole,
    spec: { ociVersion: "1.3.0", process: whole, ...spec },
    host: rootHost,
    noNewKeyring: false,
    passedFds: 0,
    listenFds: 0,
    softNofile: null,
    ...overrides,
  };
}

const kinds = (steps: readonly ProcessStep[]) => steps.map(({ kind }) => kind);
const step = <K extends ProcessStep["kind"]>(steps: readonly ProcessStep[], kind: K) =>
  steps.find((candidate) => candidate.kind === kind) as Extract<ProcessStep, { kind: K }> | undefined;

describe("planSession", () => {
  it("joins a keyring that the container's user can search, once the session is new", () => {
    expect(planSession(input())).toEqual([
      { kind: "new-session" },
      { kind: "join-keyring", name: "_ses.c1", search: "user" },
    ]);
  });

  it("lets others search the keyring of a container with a user namespace", () => {
    const spec = { linux: { namespaces: [{ type: "user" as const }] } };
    expect(step(planSession(input({}, {}, spec)), "join-keyring")?.search).toBe("other");
  });

  it("leaves the keyring's permissions alone when another process joins it", () => {
    expect(step(planSession(input({ purpose: "exec" })), "join-keyring")?.search).toBeNull();
  });

  it("keeps the caller's keyring on request", () => {
    expect(kinds(planSession(input({ noNewKeyring: true })))).toEqual(["new-session"]);
  });
});

describe("planWorkingDirectory", () => {
  it("makes the first process's directory, and none for another process", () => {
    expect(planWorkingDirectory(input({}, { cwd: "/work" }))).toMatchObject([
      { kind: "make-working-directory", path: "/work" },
    ]);
    expect(planWorkingDirectory(input({ purpose: "exec" }))).toEqual([]);
  });
});

describe("planSystem", () => {
  const spec = { hostname: "h", domainname: "d", linux: { sysctl: { "net.core.somaxconn": "1" } } };

  it("sets names and kernel parameters for the container, once", () => {
    expect(kinds(planSystem(input({}, {}, spec)))).toEqual(["set-hostname", "set-domainname", "write-sysctl"]);
    expect(planSystem(input({ purpose: "exec" }, {}, spec))).toEqual([]);
  });

  it("plans nothing where nothing is asked for", () => {
    expect(planSystem(input())).toEqual([]);
  });
});

describe("planProcess", () => {
  it("drops bounding capabilities before the change of user and sets the others after it", () => {
    const { identity } = planProcess(input({}, { capabilities: { bounding: [] }, user: { uid: 1, gid: 2 } }));
    expect(kinds(identity)).toEqual([
      "keep-passed-descriptors",
      "change-directory",
      "set-environment",
      "drop-bounding",
      "keep-capabilities",
      "own-stdio",
      "set-groups",
      "set-gid",
      "set-uid",
      "change-directory",
      "verify-directory",
      "keep-capabilities",
      "set-capabilities",
      "find-executable",
    ]);
  });

  it("leaves the supplementary groups alone where the runtime's user namespace denies changing them", () => {
    const host = { ...input().host, setgroupsDenied: true };
    expect(kinds(planProcess(input()).identity)).toContain("set-groups");
    expect(kinds(planProcess(input({ host })).identity)).not.toContain("set-groups");
  });

  it("leaves no capability when the configuration does not name any", () => {
    const sets = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
    expect(planProcess(input()).identity).toContainEqual(
      expect.objectContaining({ kind: "set-capabilities", ...sets }),
    );
  });

  it("verifies the directory even when none is set", () => {
    expect(kinds(planProcess(input({}, { cwd: "" })).identity)).toContain("verify-directory");
  });

  it("clears supplementary groups when none are given, but not as an unprivileged user", () => {
    expect(step(planProcess(input()).identity, "set-groups")?.gids).toEqual([]);
    const host = { ...input().host, euid: 1000 };
    expect(kinds(planProcess(input({ host })).identity)).not.toContain("set-groups");
  });

  it("keeps the caller's supplementary groups where crun's annotation says so", () => {
    const spec = { ociVersion: "1.3.0", annotations: { "run.oci.keep_original_groups": "1" } };
    expect(kinds(planProcess(input({ spec })).identity)).not.toContain("set-groups");
  });

  it("looks HOME up only when it is not set", () => {
    expect(kinds(planProcess(input()).identity)).not.toContain("set-home");
    expect(step(planProcess(input({}, { env: [], user: { uid: 7, gid: 0 } })).identity, "set-home")?.uid).toBe(7);
  });

  it("gives the container umask 022 unless it says another, and another process the container's", () => {
    expect(step(planProcess(input()).attributes, "umask")?.mask).toBe(0o022);
    expect(step(planProcess(input({}, { user: { uid: 0, gid: 0, umask: 0o77 } })).attributes, "umask")?.mask).toBe(
      0o77,
    );
    expect(kinds(planProcess(input({ purpose: "exec" })).attributes)).not.toContain("umask");
  });

  it("warns of unknown capabilities and of personality flags", () => {
    const personality = { domain: "LINUX32" as const, flags: ["ADDR_NO_RANDOMIZE"] };
    const planned = planProcess(input({}, { capabilities: { bounding: ["CAP_X"] } }, { linux: { personality } }));
    expect(step(planned.identity, "warn")?.message).toContain("CAP_X");
    expect(step(planned.attributes, "warn")?.message).toContain("ADDR_NO_RANDOMIZE");
    expect(step(planned.attributes, "personality")?.domain).toBe("LINUX32");
  });

  it("sets the limits with the execve, where nothing can fail for them any more", () => {
    const rlimits = [{ type: "RLIMIT_AS", soft: 1, hard: 2 }];
    const { last } = planProcess(input({ softNofile: 1024 }, { rlimits }));
    expect(kinds(last)).toEqual(["reset-signals", "close-descriptors", "execute"]);
    expect(step(last, "execute")?.limits).toEqual([
      { type: "RLIMIT_AS", soft: 1, hard: 2 },
      { type: "RLIMIT_NOFILE", soft: 1024, hard: null },
    ]);
  });

  it("prefers the configured limit of open files to the caller's", () => {
    const rlimits = [{ type: "RLIMIT_NOFILE", soft: 5, hard: 6 }];
    expect(step(planProcess(input({ softNofile: 1024 }, { rlimits })).last, "execute")?.limits).toEqual(rlimits);
  });

  it("passes descriptors on by their number", () => {
    const { identity, last } = planProcess(input({ passedFds: 3, listenFds: 2 }));
    expect(step(identity, "keep-passed-descriptors")?.passed).toBe(3);
    expect(step(identity, "set-environment")?.listenFds).toBe(2);
    expect(step(last, "close-descriptors")?.passed).toBe(3);
  });

  it("names the node list that it cannot read", () => {
    const memoryPolicy = { mode: "MPOL_BIND", nodes: "0-9876543210" };
    expect(() => planProcess(input({}, {}, { linux: { memoryPolicy } }))).toThrow(/^invalid memory policy node: /);
  });

  it("knows whether the container is bound to CPUs, which a deadline does not get along with", () => {
    const scheduler = { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3 };
    const bound = { linux: { resources: { cpu: { cpus: "0" } } } };
    expect(step(planProcess(input({}, { scheduler }, bound)).attributes, "scheduler")?.cpuset).toBe(true);
    expect(step(planProcess(input({}, { scheduler })).attributes, "scheduler")).toMatchObject({
      cpuset: false,
      nice: 0,
      ...scheduler,
    });
  });

  it("refuses an argument with a NUL, which would end it", () => {
    expect(() => planProcess(input({}, { args: ["a", "b\0c"] }))).toThrow(/nul byte/);
  });

  it("says every step in one line", () => {
    const process: Partial<Process> = {
      env: [],
      noNewPrivileges: true,
      apparmorProfile: "p",
      selinuxLabel: "l",
      capabilities: { bounding: ["CAP_KILL", "CAP_X"] },
      rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }],
      scheduler: { policy: "SCHED_BATCH", nice: 1 },
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
    };
    const spec: Partial<Spec> = {
      hostname: "h",
      domainname: "d",
      linux: { sysctl: { "net.a": "1\n" }, personality: { domain: "LINUX" }, memoryPolicy: { mode: "MPOL_LOCAL" } },
    };
    const all = input({ listenFds: 1, passedFds: 1 }, process, spec);
    const { attributes, identity, last } = planProcess(all);
    const steps = [
      ...planSession(all),
      ...planWorkingDirectory(all),
      ...planSystem(all),
      ...attributes,
      ...identity,
      ...last,
      ...planAffinity(all).own,
      ...planAffinity({ ...all, purpose: "exec", process: { ...all.process, execCPUAffinity: { final: "0" } } }).own,
    ];
    expect(new Set(kinds(steps))).toEqual(new Set(Object.keys(describeProcess)));
    for (const planned of steps) {
      const words = (describeProcess[planned.kind] as (step: ProcessStep) => string)(planned);
      expect(words).toMatch(/^[^\n]+$/);
      expect(words).not.toContain("undefined");
    }
  });
});

describe("another process", () => {
  const container: Process = {
    ...minimal,
    args: ["init"],
    env: ["SECRET=1"],
    user: { uid: 5, gid: 6, umask: 0o27, additionalGids: [8] },
    capabilities: { bounding: ["CAP_KILL"] },
    noNewPrivileges: true,
    apparmorProfile: "profile",
    oomScoreAdj: 100,
    rlimits: [{ type: "RLIMIT_CORE", soft: 1, hard: 1 }],
  };
  const exec = (process: Partial<Process>) =>
    effectiveProcess({
      purpose: "exec",
      process: { ...minimal, ...process },
      spec: { ociVersion: "1.3.0", process: container },
    });

  it("has the container's privileges, limits and umask, but neither its user nor its environment", () => {
    expect(exec({})).toMatchObject({
      args: ["true"],
      env: minimal.env,
      user: { uid: 0, gid: 0, umask: 0o27 },
      capabilities: { bounding: ["CAP_KILL"] },
      noNewPrivileges: true,
      apparmorProfile: "profile",
      oomScoreAdj: 100,
      rlimits: container.rlimits,
    });
    expect(exec({}).user?.additionalGids).toBeUndefined();
  });

  it("has its own where it says so", () => {
    const own = { capabilities: {}, noNewPrivileges: false, rlimits: [{ type: "RLIMIT_CPU", soft: 1, hard: 1 }] };
    expect(exec(own)).toMatchObject(own);
  });
});

describe("planHostProcess", () => {
  it("sets the score and allows the limits", () => {
    const process = { oomScoreAdj: -5, rlimits: [{ type: "RLIMIT_CORE", soft: 1, hard: 2 }] };
    expect(planHostProcess(input({}, process))).toEqual([
      { kind: "oom-score-adj", pointer: "/process/oomScoreAdj", value: -5 },
      { kind: "allow-limit", pointer: "/process/rlimits/0", type: "RLIMIT_CORE", soft: 1, hard: 2 },
    ]);
  });
});

describe("planAffinity", () => {
  const execCPUAffinity = { initial: "0", final: "0-1" };

  it("binds another process to CPUs around its joining of the cgroup", () => {
    const exec = input({ purpose: "exec" }, { execCPUAffinity });
    expect(planAffinity(exec)).toMatchObject({
      initial: [{ kind: "set-affinity", when: "initial", cpus: [0] }],
      own: [{ kind: "set-affinity", when: "final", cpus: [0, 1] }],
    });
    expect(planHostProcess(exec)).toEqual(planAffinity(exec).initial);
  });

  it("keeps the initial CPUs when there are no final ones", () => {
    expect(planAffinity(input({ purpose: "exec" }, { execCPUAffinity: { initial: "1" } })).own).toEqual([]);
  });

  it("does not bind the first process", () => {
    expect(planAffinity(input({}, { execCPUAffinity }))).toEqual({ initial: [], own: [{ kind: "reset-affinity" }] });
  });

  it("names the list of CPUs that it cannot read", () => {
    const bad = { execCPUAffinity: { final: "1-" } };
    expect(() => planAffinity(input({ purpose: "exec" }, bad))).toThrow(/^bad CPUAffinity.Final: /);
  });
});
