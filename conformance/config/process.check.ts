/** config.md, "Process", "Linux Process" and "User". */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { CapabilitySet } from "../harness/spec.ts";
import { pause } from "../harness/subject.ts";

check("config/process-cwd-working-directory-executable", "the process starts in cwd", async (subject) => {
  const { cwd } = await subject.sight((spec) => {
    spec.process.cwd = "/tmp";
  });
  expect(cwd).toBe("/tmp");
});

check("config/process-cwd-working-directory-executable", "a configuration without cwd is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    delete (spec.process as { cwd?: string }).cwd;
  });
});

check("config/process-absolute-path", "a relative cwd is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process.cwd = "tmp";
  });
});

check(
  "runtime/create-properties-configured-config-json",
  "the process has the variables given, and no other",
  async (subject) => {
    const given = { PATH: "/bin", TEXT: 'with "quotes", = and  blanks', EMPTY: "", UNICODE: "ä€" };
    const { env } = await subject.sight((spec) => {
      spec.process.env = Object.entries(given).map(([name, value]) => `${name}=${value}`);
    });
    // Runtimes set HOME from the passwd file; nothing of the caller's environment comes along.
    const { HOME: _home, ...rest } = env;
    expect(rest).toEqual(given);
  },
);

check(
  "config/process-property-start-called",
  "the program is found by the PATH of its own environment",
  async (subject) => {
    expect(await subject.output(["echo", "found"])).toBe("found");
  },
);

check("config/process-property-start-called", "a configuration with empty args is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process.args = [];
  });
});

check(
  "config/process-ignore-consolesize-terminal-false",
  "consoleSize is ignored without a terminal",
  async (subject) => {
    await subject.runs((spec) => {
      spec.process.terminal = false;
      spec.process["consoleSize"] = { height: 10, width: 20 };
    });
  },
);

check("config/user-uid-user-id-namespace", "the process has the uid given, in all its ids", async (subject) => {
  const { status } = await subject.sight((spec) => {
    spec.process.user = { uid: 1234, gid: 0 };
  });
  expect(status["Uid"]?.split(/\s+/)).toEqual(["1234", "1234", "1234", "1234"]);
});

check("config/user-gid-group-id-namespace", "the process has the gid given, in all its ids", async (subject) => {
  const { status } = await subject.sight((spec) => {
    spec.process.user = { uid: 0, gid: 4321 };
  });
  expect(status["Gid"]?.split(/\s+/)).toEqual(["4321", "4321", "4321", "4321"]);
});

check(
  "runtime/create-properties-configured-config-json",
  "the process has the additional gids given",
  async (subject) => {
    const { status } = await subject.sight((spec) => {
      spec.process.user = { uid: 1, gid: 2, additionalGids: [5, 7, 70000] };
    });
    expect(
      status["Groups"]
        ?.split(/\s+/)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(expect.arrayContaining([5, 7, 70000]));
  },
);

check(
  "runtime/create-properties-configured-config-json",
  "the process has no group that was not given",
  async (subject) => {
    const { status } = await subject.sight((spec) => {
      spec.process.user = { uid: 1, gid: 2 };
    });
    expect((status["Groups"] ?? "").split(/\s+/).filter((group) => group !== "" && group !== "2")).toEqual([]);
  },
);

for (const [umask, shown] of [
  [0o77, "0077"],
  [0, "0000"],
  [0o27, "0027"],
] as const) {
  check("runtime/create-properties-configured-config-json", `the process has the umask ${shown}`, async (subject) => {
    const sight = await subject.sight((spec) => {
      spec.process.user = { uid: 0, gid: 0, umask };
    });
    expect(sight.umask).toBe(shown);
  });
}

check(
  { convention: "Without a umask in the configuration the process has 0022." },
  "the umask is 0022 by default",
  async (subject) => {
    expect((await subject.sight()).umask).toBe("0022");
  },
);

/** A limit and its line in /proc/PID/limits. All are below what a root without CAP_SYS_RESOURCE may have. */
const RLIMITS: readonly [type: string, line: string, soft: number, hard: number][] = [
  ["RLIMIT_NOFILE", "Max open files", 200, 300],
  ["RLIMIT_CORE", "Max core file size", 0, 0],
  ["RLIMIT_CPU", "Max cpu time", 100, 200],
  ["RLIMIT_FSIZE", "Max file size", 1048576, 2097152],
  ["RLIMIT_STACK", "Max stack size", 1048576, 2097152],
  ["RLIMIT_NPROC", "Max processes", 100, 200],
  ["RLIMIT_MEMLOCK", "Max locked memory", 4096, 8192],
  ["RLIMIT_SIGPENDING", "Max pending signals", 50, 60],
  ["RLIMIT_MSGQUEUE", "Max msgqueue size", 1000, 2000],
  ["RLIMIT_NICE", "Max nice priority", 0, 0],
  ["RLIMIT_RTPRIO", "Max realtime priority", 0, 0],
  ["RLIMIT_RTTIME", "Max realtime timeout", 1000000, 2000000],
  ["RLIMIT_LOCKS", "Max file locks", 10, 20],
  ["RLIMIT_AS", "Max address space", 1073741824, 1073741824],
  ["RLIMIT_DATA", "Max data size", 536870912, 536870912],
  ["RLIMIT_RSS", "Max resident set", 536870912, 536870912],
];

for (const [type, line, soft, hard] of RLIMITS) {
  check(
    [
      "config/process-rlim-rlim_cur-match-configured",
      "config/process-rlim-rlim_max-match-configured",
      "config/process-entry-rlimits-getrlimit-type",
    ],
    `${type} is set, soft and hard`,
    async (subject) => {
      const { limits } = await subject.sight((spec) => {
        spec.process.rlimits = [{ type, soft, hard }];
      });
      expect(limits[line]).toEqual([String(soft), String(hard)]);
    },
  );
}

check("config/process-rlimits-contains-duplicated-entries", "a limit given twice is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    const limit = { type: "RLIMIT_NOFILE", soft: 200, hard: 300 };
    spec.process.rlimits = [limit, { ...limit }];
  });
});

check("config/process-generate-error-cannot-mapped", "an unknown limit is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process.rlimits = [{ type: "RLIMIT_NO_SUCH", soft: 1, hard: 1 }];
  });
});

check("config/process-generate-error-cannot-mapped", "a soft limit above the hard one is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 300, hard: 200 }];
  });
});

/** A capability set and its line in /proc/PID/status. */
const SETS: readonly [set: CapabilitySet, line: string][] = [
  ["bounding", "CapBnd"],
  ["effective", "CapEff"],
  ["permitted", "CapPrm"],
  ["inheritable", "CapInh"],
  ["ambient", "CapAmb"],
];

const NUMBERS: Readonly<Record<string, number>> = { CAP_CHOWN: 0, CAP_KILL: 5, CAP_NET_RAW: 13 };

for (const [set, line] of SETS) {
  check(
    "runtime/create-properties-configured-config-json",
    `the ${set} set holds what it was given`,
    async (subject) => {
      const names = Object.keys(NUMBERS);
      const { status } = await subject.sight((spec) => {
        spec.process.capabilities = Object.fromEntries(SETS.map(([name]) => [name, [...names]]));
      });
      expect(capabilities(status[line])).toEqual(Object.values(NUMBERS));
    },
  );

  check("runtime/create-properties-configured-config-json", `an empty ${set} set stays empty`, async (subject) => {
    const { status } = await subject.sight((spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.process.capabilities = {};
    });
    expect(capabilities(status[line])).toEqual([]);
  });
}

check(
  "config/process-cannot-mapped-relevant-kernel",
  "a capability that is only bounding is not effective",
  async (subject) => {
    const { status } = await subject.sight((spec) => {
      spec.process.noNewPrivileges = true;
      spec.process.user = { uid: 1000, gid: 1000 };
      spec.process.capabilities = { bounding: ["CAP_CHOWN"] };
    });
    expect(capabilities(status["CapBnd"])).toEqual([0]);
    expect(capabilities(status["CapEff"])).toEqual([]);
  },
);

check(
  "config/process-cannot-mapped-relevant-kernel",
  "an unknown capability does not go unnoticed",
  async (subject) => {
    const { code, stderr } = await subject.run("true", (spec) => {
      spec.process.capabilities = { bounding: ["CAP_NO_SUCH_THING"] };
    });
    expect(code, "the run ended").not.toBeNull();
    expect(stderr, "a warning or an error that names it").toMatch(/CAP_NO_SUCH_THING|no_such_thing|unknown capabilit/i);
  },
);

for (const [value, shown] of [
  [true, "1"],
  [false, "0"],
  [undefined, "0"],
] as const) {
  check(
    "runtime/create-properties-configured-config-json",
    `noNewPrivileges ${value}: the process has ${shown}`,
    async (subject) => {
      const { status } = await subject.sight((spec) => {
        if (value === undefined) delete spec.process.noNewPrivileges;
        else spec.process.noNewPrivileges = value;
      });
      expect(status["NoNewPrivs"]).toBe(shown);
    },
  );
}

check("config/process-oomscoreadj-oom_score_adj-given", "oomScoreAdj is set", async (subject) => {
  const { oomScoreAdj } = await subject.sight((spec) => {
    spec.process["oomScoreAdj"] = 500;
  });
  expect(oomScoreAdj).toBe("500");
});

check(
  "config/process-oomscoreadj-change-oom_score_adj",
  "without oomScoreAdj the caller's value stays",
  async (subject) => {
    const { oomScoreAdj } = await subject.sight();
    expect(oomScoreAdj).toBe(readFileSync("/proc/self/oom_score_adj", "utf8").trim());
  },
);

check("config/process-class-i-o-scheduling", "ioPriority best effort, level 5, is set", async (subject) => {
  const output = await subject.output("ionice -p 1", (spec) => {
    spec.process["ioPriority"] = { class: "IOPRIO_CLASS_BE", priority: 5 };
  });
  if (output.includes("unsupported")) subject.skip("the container's ionice cannot tell");
  expect(output).toMatch(/best-effort.*5/);
});

check("config/process-class-i-o-scheduling", "an unknown I/O class is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process["ioPriority"] = { class: "IOPRIO_CLASS_NO_SUCH", priority: 1 };
  });
});

check("config/process-policy-represents-scheduling-policy", "scheduler SCHED_BATCH is set", async (subject) => {
  const output = await subject.output(
    "sed -n 's/^policy *: *//p' /proc/1/sched; cut -d' ' -f41 /proc/1/stat",
    (spec) => {
      spec.process["scheduler"] = { policy: "SCHED_BATCH" };
    },
  );
  expect(output.split("\n").at(-1), "the policy's number in /proc/1/stat").toBe("3");
});

check("config/process-policy-represents-scheduling-policy", "scheduler SCHED_IDLE is set", async (subject) => {
  const output = await subject.output("cut -d' ' -f41 /proc/1/stat", (spec) => {
    spec.process["scheduler"] = { policy: "SCHED_IDLE" };
  });
  expect(output).toBe("5");
});

check(
  "config/process-policy-represents-scheduling-policy",
  "an unknown scheduling policy is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.process["scheduler"] = { policy: "SCHED_NO_SUCH" };
    });
  },
);

check(
  "config/process-policy-represents-scheduling-policy",
  "a scheduler without policy is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.process["scheduler"] = { nice: 1 };
    });
  },
);

check("runtime/create-properties-configured-config-json", "the nice value of the scheduler is set", async (subject) => {
  const output = await subject.output("cut -d' ' -f19 /proc/1/stat", (spec) => {
    spec.process["scheduler"] = { policy: "SCHED_OTHER", nice: 7 };
  });
  expect(output).toBe("7");
});

check("runtime/create-properties-configured-config-json", "hostname is the container's own", async (subject) => {
  const { hostname } = await subject.sight((spec) => {
    spec.hostname = "other.example";
  });
  expect(hostname).toBe("other.example");
  const { hostname: outer } = await import("node:os");
  expect(outer()).not.toBe("other.example");
});

check("runtime/create-properties-configured-config-json", "domainname is the container's own", async (subject) => {
  const { domainname } = await subject.sight((spec) => {
    spec["domainname"] = "domain.example";
  });
  expect(domainname).toBe("domain.example");
});

check(
  "runtime/create-cannot-apply-property-specified",
  "hostname without a uts namespace is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.linux.namespaces = spec.linux.namespaces?.filter(({ type }) => type !== "uts") ?? [];
    });
  },
);

check(
  "runtime/create-properties-configured-config-json",
  "the program is process 1 of its pid namespace",
  async (subject) => {
    expect((await subject.sight()).pid).toBe(1);
  },
);

check(
  "runtime/create-properties-configured-config-json",
  "standard streams are the caller's, and nothing else is open",
  async (subject) => {
    expect((await subject.sight()).descriptors).toEqual(["0", "1", "2"]);
  },
);

check(
  "runtime/create-properties-configured-config-json",
  "what the caller has open does not reach the container",
  async (subject) => {
    const { closeSync, openSync } = await import("node:fs");
    const open = openSync("/etc/hostname", "r");
    try {
      const sight = await subject.sight(undefined, { extra: [open, open] });
      expect(sight.descriptors).toEqual(["0", "1", "2"]);
    } finally {
      closeSync(open);
    }
  },
);

check("runtime/create-properties-configured-config-json", "stdin reaches the program", async (subject) => {
  const { stdout } = await subject.run("cat", undefined, { input: "given\n" });
  await pause(0);
  expect(stdout).toBe("given\n");
});

/** Numbers of the bits that are set in a line of /proc/PID/status. */
function capabilities(mask: string | undefined): number[] {
  const bits = BigInt(`0x${mask ?? "0"}`);
  return [...Array(64).keys()].filter((bit) => (bits >> BigInt(bit)) & 1n);
}

for (const missing of ["height", "width"] as const) {
  check(`config/process-${missing}-uint`, `a console size without ${missing} is refused`, async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.process.terminal = true;
      const { [missing]: _gone, ...rest } = { height: 10, width: 20 };
      spec.process["consoleSize"] = rest;
    });
  });
}

for (const [id, missing] of [
  ["config/process-type-platform-resource-being", "type"],
  ["config/process-soft-limit-enforced-corresponding", "soft"],
  ["config/process-hard-ceiling-soft-limit", "hard"],
] as const) {
  check(id, `a resource limit without ${missing} is refused`, async (subject) => {
    await subject.refusesConfig((spec) => {
      const { [missing]: _gone, ...rest } = { type: "RLIMIT_NOFILE", soft: 100, hard: 100 };
      spec.process.rlimits = [rest as never];
    });
  });
}

check("config/process-priority-priority-level-within", "an I/O priority above 7 is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.process["ioPriority"] = { class: "IOPRIO_CLASS_BE", priority: 8 };
  });
});

check(
  "config/process-fail-configuration-requests-capabilities",
  "a capability that this kernel does not have fails nothing",
  async (subject) => {
    await subject.runs((spec) => {
      spec.process.capabilities?.bounding?.push("CAP_NO_SUCH_THING");
    });
  },
);
