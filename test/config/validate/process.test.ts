/** `process`. */
import { describe, expect, test } from "vitest";
import type { Process, Spec } from "../../../src/config/types.ts";
import { accepted, asRoot, judge, onProcess, refused } from "../support/judge.ts";

describe("process", () => {
  test("create needs one", () => {
    refused((spec) => void delete (spec as Spec).process, "/process", /process property must not be empty/);
  });
  test("validation alone warns that there is none", () => {
    const warnings = judge((spec) => void delete (spec as Spec).process, { ...asRoot, forCreate: false });
    expect(warnings).toEqual([expect.stringMatching(/^\/process: no container/)]);
  });
  test.each<[Partial<Process>, string, RegExp]>([
    [{ cwd: "tmp" }, "/process/cwd", /^must be an absolute path$/],
    [{ cwd: "" }, "/process/cwd", /empty/],
    [{ cwd: "/\0" }, "/process/cwd", /null byte/],
    [{ args: [] }, "/process/args", /args must not be empty/],
    [{ args: ["true", "\0"] }, "/process/args/1", /null byte/],
    [{ env: ["PATH=/bin", "FOO"] }, "/process/env/1", /NAME=value/],
    [{ env: ["=x"] }, "/process/env/0", /NAME=value/],
    [{ env: ["A=\0"] }, "/process/env/0", /null byte/],
    [{ oomScoreAdj: 1001 }, "/process/oomScoreAdj", /-1000 to 1000/],
    [{ oomScoreAdj: -1001 }, "/process/oomScoreAdj", /-1000 to 1000/],
    [
      { user: { uid: 0, gid: 0, additionalGids: new Array(65_537).fill(5) } },
      "/process/user/additionalGids",
      /^has 65537 groups: a process has at most 65536$/,
    ],
    [{ selinuxLabel: "container_t" }, "/process/selinuxLabel", /user:role:type/],
    [{ rlimits: [{ type: "RLIMIT_FOO", soft: 1, hard: 1 }] }, "/process/rlimits/0/type", /wrong rlimit value/],
    [{ rlimits: [{ type: "RLIMIT_CPU", soft: 2, hard: 1 }] }, "/process/rlimits/0/soft", /hard limit 1/],
    [
      { rlimits: ["RLIMIT_CPU", "RLIMIT_AS", "RLIMIT_CPU"].map((type) => ({ type, soft: 1, hard: 1 })) },
      "/process/rlimits/2/type",
      /duplicated/,
    ],
    [{ scheduler: { policy: "SCHED_ISO" } }, "/process/scheduler/policy", /no kernel/],
    [{ scheduler: { policy: "SCHED_OTHER", nice: 20 } }, "/process/scheduler/nice", /-20 to 19/],
    [{ scheduler: { policy: "SCHED_BATCH", nice: -21 } }, "/process/scheduler/nice", /-20 to 19/],
    [
      { scheduler: { policy: "SCHED_OTHER", priority: 1 } },
      "/process/scheduler/priority",
      /only be specified for SCHED_FIFO/,
    ],
    [{ scheduler: { policy: "SCHED_FIFO", priority: 100 } }, "/process/scheduler/priority", /1 to 99/],
    [{ scheduler: { policy: "SCHED_RR" } }, "/process/scheduler/priority", /1 to 99/],
    [{ scheduler: { policy: "SCHED_OTHER", runtime: 1 } }, "/process/scheduler/runtime", /SCHED_DEADLINE/],
    [
      { scheduler: { policy: "SCHED_FIFO", priority: 1, deadline: 1 } },
      "/process/scheduler/deadline",
      /SCHED_DEADLINE/,
    ],
    [{ scheduler: { policy: "SCHED_IDLE", period: 1 } }, "/process/scheduler/period", /SCHED_DEADLINE/],
    [
      { scheduler: { policy: "SCHED_DEADLINE", deadline: 2, period: 3 } },
      "/process/scheduler/runtime",
      /`SCHED_DEADLINE` requires `runtime`/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 2000, period: 3 } },
      "/process/scheduler/deadline",
      /`SCHED_DEADLINE` requires `deadline`/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 0, deadline: 2 } },
      "/process/scheduler/runtime",
      /runtime must be greater than 0/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 3000, deadline: 2000 } },
      "/process/scheduler/runtime",
      /runtime 3000 must be <= deadline 2000/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 2000, deadline: 4000, period: 3000 } },
      "/process/scheduler/deadline",
      /deadline 4000 must be <= period 3000/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 1023, deadline: 2000 } },
      "/process/scheduler/runtime",
      /runtime 1023 must be between 1024 and 2\^63 - 1/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 2n ** 63n, deadline: 2n ** 63n } },
      "/process/scheduler/runtime",
      /must be between 1024 and/,
    ],
    [
      { scheduler: { policy: "SCHED_DEADLINE", runtime: 2n ** 62n + 1n, deadline: 2n ** 62n } },
      "/process/scheduler/runtime",
      /runtime 4611686018427387905 must be <= deadline 4611686018427387904/,
    ],
    [
      { rlimits: [{ type: "RLIMIT_FSIZE", soft: 2n ** 53n + 1n, hard: 2n ** 53n }] },
      "/process/rlimits/0/soft",
      /must not exceed the hard limit 9007199254740992/,
    ],
    [{ terminal: true, consoleSize: { height: 65536, width: 80 } }, "/process/consoleSize/height", /0 to 65535/],
    [{ ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } }, "/process/ioPriority/priority", /0 to 7/],
    [{ ioPriority: { class: "IOPRIO_CLASS_BE", priority: -1 } }, "/process/ioPriority/priority", /0 to 7/],
    [{ execCPUAffinity: { initial: "3-1" } }, "/process/execCPUAffinity/initial", /bad CPUAffinity/],
    [{ execCPUAffinity: { final: "0-" } }, "/process/execCPUAffinity/final", /bad CPUAffinity/],
    [{ execCPUAffinity: { final: "99999999" } }, "/process/execCPUAffinity/final", /bad CPUAffinity/],
  ])("%o is refused", (part, pointer, rule) => refused(onProcess(part), pointer, rule));

  test.each<Partial<Process>>([
    { env: ["A=", "B==", "C=\n"] },
    { rlimits: [{ type: "RLIMIT_NOFILE", soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n }] },
    { scheduler: { policy: "SCHED_DEADLINE", runtime: 1024, deadline: 2000 } },
    { scheduler: { policy: "SCHED_DEADLINE", runtime: 1024, deadline: 2000, period: 3000 } },
    { scheduler: { policy: "SCHED_FIFO", priority: 99, flags: ["SCHED_FLAG_RESET_ON_FORK"] } },
    { ioPriority: { class: "IOPRIO_CLASS_IDLE" } },
    { execCPUAffinity: { initial: "0-3, 7", final: "" } },
    { selinuxLabel: "system_u:system_r:container_t:s0:c4,c5" },
  ])("%o is accepted", (part) => accepted(onProcess(part)));
});
