import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, test } from "vitest";
import type { TestSpec } from "../support/config.ts";
import { isTsrunc, output, run, startDetached, state, succeed, useContainers } from "./harness.ts";

useContainers();

describe("user", () => {
  test("uid, gid, additional groups and umask are those of the config", () => {
    const shown = output("id -u; id -g; id -G; umask", (config) => {
      config.process.user = { uid: 1000, gid: 2000, additionalGids: [3000, 3001], umask: 0o27 };
    });
    const [uid, gid, groups, umask] = shown.split("\n");
    expect({ uid, gid, groups: groups?.split(" ").sort(), umask }).toEqual({
      uid: "1000",
      gid: "2000",
      groups: ["2000", "3000", "3001"],
      umask: "0027",
    });
  });

  test("HOME is that of /etc/passwd, / for an unknown user, and the config's own first", () => {
    const home = (uid: number, env: string[] = []): string =>
      output("echo $HOME", (config) => {
        config.process.user.uid = uid;
        config.process.env.push(...env);
      });
    expect(home(0)).toBe("/root");
    expect(home(1000)).toBe("/home/user");
    expect(home(4321)).toBe("/");
    expect(home(0, ["HOME=/elsewhere"])).toBe("/elsewhere");
  });
});

describe("the environment", () => {
  test("is the config's and nothing of the runtime's", () => {
    const { stdout } = run(["env"], undefined, { env: { SECRET: "of the host", BUN_TEST: "1" } });
    expect(stdout.trim().split("\n").sort()).toEqual(["HOME=/root", "PATH=/bin", "TERM=xterm"]);
  });
});

describe("cwd", () => {
  test("is the process's working directory, made when it is missing", () => {
    expect(output("pwd", (config) => Object.assign(config.process, { cwd: "/new/place" }))).toBe("/new/place");
  });
});

describe("args", () => {
  test("are looked up in the container's PATH", () => {
    expect(output(["echo", "found"])).toBe("found");
  });

  test("a missing program is refused by name, and nothing is left", () => {
    const { code, stderr } = run(["no-such-program"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/no-such-program\\?": executable file not found in \$PATH/);
  });

  test("a path that does not exist is refused by name", () => {
    const { code, stderr } = run(["/bin/missing"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/\/bin\/missing\\?"?: .*no such file or directory/i);
  });

  test("a file that may not be executed is refused", () => {
    expect(run(["/etc/passwd"]).stderr).toMatch(/permission denied/i);
  });
});

describe("capabilities", () => {
  const sets = (text: string): Record<string, bigint> =>
    Object.fromEntries(
      text.split("\n").map((line) => [line.split(":")[0] ?? "", BigInt(`0x${line.split(":")[1]?.trim()}`)]),
    );

  test("are exactly those of the config", () => {
    const KILL = 1n << 5n;
    const NET_BIND = 1n << 10n;
    const shown = output("grep ^Cap /proc/self/status", (config) => {
      config.process.user = { uid: 1000, gid: 1000 };
      config.process.capabilities = {
        bounding: ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        permitted: ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        effective: ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        inheritable: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      };
    });
    // What a process of an ordinary user keeps over exec are its ambient ones.
    expect(sets(shown)).toEqual({ CapInh: KILL, CapPrm: KILL, CapEff: KILL, CapBnd: KILL | NET_BIND, CapAmb: KILL });
  });

  test("without the field are none", () => {
    const shown = output("grep ^Cap /proc/self/status", (config) => {
      config.process.capabilities = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
    });
    expect(Object.values(sets(shown)).every((set) => set === 0n)).toBe(true);
  });

  test("that nobody knows are passed over", () => {
    const tomorrows = (config: TestSpec) => void config.process.capabilities.bounding?.push("CAP_OF_TOMORROW");
    expect(run("echo ran", tomorrows)).toMatchObject({ code: 0, stdout: "ran\n" });
  });
});

test("rlimits are those of the config", () => {
  const shown = output("grep -E 'open files|core file' /proc/self/limits", (config) => {
    config.process.rlimits = [
      { type: "RLIMIT_NOFILE", soft: 123, hard: 456 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ];
  });
  expect(shown).toMatch(/open files\s+123\s+456/);
  expect(shown).toMatch(/core file size\s+0\s+0/);
});

test.each([
  ["1.0.2-dev", /^forked$/],
  ["1.3.0", /can't fork/],
])("a pids.limit of 0 means what it does in ociVersion %s", (ociVersion, shown) => {
  const { stdout, stderr } = run("(echo forked); true", (config) => {
    Object.assign(config, { ociVersion });
    config.linux.resources = { pids: { limit: 0 } };
  });
  expect(`${stdout}${stderr}`.trim()).toMatch(shown);
});

test("rlimits have all their 64 bits, in a second process, too", () => {
  const inDigits = (digits: string) => (JSON as unknown as { rawJSON(text: string): number }).rawJSON(digits);
  const id = startDetached("sleep 1000", (config) => {
    config.process.rlimits = [
      { type: "RLIMIT_FSIZE", soft: inDigits("9007199254740993"), hard: inDigits("18446744073709551614") },
      { type: "RLIMIT_CORE", soft: inDigits("18446744073709551615"), hard: inDigits("18446744073709551615") },
    ];
  });
  for (const pid of ["1", "self"]) {
    const shown = succeed(["exec", id, "cat", `/proc/${pid}/limits`]);
    expect(shown).toMatch(/Max file size\s+9007199254740993\s+18446744073709551614/);
    expect(shown).toMatch(/Max core file size\s+unlimited\s+unlimited/);
  }
});

test.each([
  [true, "1"],
  [false, "0"],
])("noNewPrivileges %j is what the process has", (noNewPrivileges, value) => {
  const shown = output("grep NoNewPrivs /proc/self/status", (config) => {
    config.process.noNewPrivileges = noNewPrivileges;
  });
  expect(shown).toBe(`NoNewPrivs:\t${value}`);
});

test("oomScoreAdj is what the process has", () => {
  expect(output("cat /proc/self/oom_score_adj", (config) => Object.assign(config.process, { oomScoreAdj: 321 }))).toBe(
    "321",
  );
});

test("signals have their default actions, and none is blocked", () => {
  const shown = output("grep -E '^Sig(Blk|Ign|Cgt)' /proc/1/status", (config) => {
    config.process.args = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/1/status"];
  });
  expect(shown).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000");
});

describe.runIf(isTsrunc)("what runc 1.1 does not know", () => {
  test("ioPriority is what the process has", () => {
    const shown = output("ionice -p 1", (config) => {
      config.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 6 };
    });
    expect(shown).toMatch(/best-effort: prio 6/);
  });

  test("a scheduler policy is what the process has", () => {
    const id = startDetached("sleep 1000", (config) => {
      config.process.scheduler = { policy: "SCHED_BATCH", nice: 5 };
    });
    const SCHED_BATCH = "3";
    const fields =
      readFileSync(`/proc/${state(id).pid}/stat`, "utf8")
        .split(") ")[1]
        ?.split(" ") ?? [];
    expect({ nice: fields[16], policy: fields[38] }).toEqual({ nice: "5", policy: SCHED_BATCH });
  });

  // On cgroup v1 and v2: the kernel sees it only in a process that is bound to CPUs already.
  test.skipIf(availableParallelism() < 2)("a deadline is refused together with some of the CPUs", () => {
    const { code, stderr } = run("echo ran", (config) => {
      config.process.scheduler = { policy: "SCHED_DEADLINE", runtime: 42_000, deadline: 1_000_000, period: 1_000_000 };
      config.linux.resources = { cpu: { cpus: "0" } };
    });
    expect(code).toBe(1);
    expect(stderr).toContain("process scheduler can't be used together with AllowedCPUs");
  });

  test.each(["SCHED_FIFO", "SCHED_RR"])("%s is what the process has, or it is told what it takes", (policy) => {
    const { code, stdout, stderr } = run("cut -d ' ' -f 41 /proc/self/stat", (config) => {
      config.process.scheduler = { policy, priority: 10 };
    });
    if (code === 0) expect(stdout.trim()).toBe(policy === "SCHED_FIFO" ? "1" : "2");
    else
      expect(stderr).toMatch(/schedule by SCHED_.*EPERM.*\(it takes CAP_SYS_NICE and, on cgroup v1, .*realtimeRuntime/);
  });

  test("time offsets move the clocks of the container", () => {
    const host = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    const inside = output("cut -d ' ' -f 1 /proc/uptime", (config) => {
      config.linux.namespaces.push({ type: "time" });
      config.linux.timeOffsets = { boottime: { secs: 1_000_000 } };
    });
    expect(Number(inside) - host).toBeGreaterThan(999_000);
  });
});
