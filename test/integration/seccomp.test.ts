/** Filters of system calls, as the container feels them. Each case fails with `exit 0` in the runtime's place. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findLibseccomp } from "../../src/sys/libseccomp.ts";
import type { TestSpec } from "../support/config.ts";
import {
  directory,
  makeBundle,
  newId,
  output,
  refused,
  run,
  startDetached,
  succeed,
  tsrunc,
  useContainers,
} from "./harness.ts";

useContainers();

const missing = findLibseccomp() === null ? "needs libseccomp2" : null;
const MKDIR = ["mkdir", "mkdirat"];

/** What a container must not do: names that no entry of an engine's profile allows, with their numbers by Node's name of the processor. */
const DENIED: Readonly<Record<"x64" | "arm64", Readonly<Record<string, number>>>> = {
  x64: {
    acct: 163,
    add_key: 248,
    delete_module: 176,
    init_module: 175,
    kexec_load: 246,
    keyctl: 250,
    mount: 165,
    nfsservctl: 180,
    pivot_root: 155,
    quotactl: 179,
    reboot: 169,
    request_key: 249,
    settimeofday: 164,
    setns: 308,
    swapoff: 168,
    swapon: 167,
    sysfs: 139,
    umount2: 166,
    unshare: 272,
    userfaultfd: 323,
    bpf: 321,
    perf_event_open: 298,
    finit_module: 313,
    open_by_handle_at: 304,
    lookup_dcookie: 212,
  },
  // It has no sysfs(2).
  arm64: {
    acct: 89,
    add_key: 217,
    delete_module: 106,
    init_module: 105,
    kexec_load: 104,
    keyctl: 219,
    mount: 40,
    nfsservctl: 42,
    pivot_root: 41,
    quotactl: 60,
    reboot: 142,
    request_key: 218,
    settimeofday: 170,
    setns: 268,
    swapoff: 225,
    swapon: 224,
    umount2: 39,
    unshare: 97,
    userfaultfd: 282,
    bpf: 280,
    perf_event_open: 241,
    finit_module: 273,
    open_by_handle_at: 265,
    lookup_dcookie: 18,
  },
};

function filter(config: TestSpec, rules: object[], further: object = {}): void {
  config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: rules as never, ...further };
}

const denying =
  (further: object = {}) =>
  (config: TestSpec) =>
    filter(config, [{ names: MKDIR, action: "SCMP_ACT_ERRNO", ...further }]);

describe.skipIf(missing !== null)(`seccomp${missing === null ? "" : ` (${missing})`}`, () => {
  test.each([
    [undefined, "Operation not permitted"],
    [28, "No space left on device"],
  ])("a denied call gets errno %s", (errnoRet, words) => {
    expect(output("mkdir /tmp/x 2>&1 || true", denying(errnoRet === undefined ? {} : { errnoRet }))).toContain(words);
  });

  test("the filter is loaded in the created init, with and without no_new_privs", () => {
    for (const noNewPrivileges of [true, false]) {
      const id = newId();
      const bundle = makeBundle("sleep 100", (config) => {
        config.process.noNewPrivileges = noNewPrivileges;
        denying()(config);
      });
      succeed(["create", "--bundle", bundle.path, id]);
      const { pid } = JSON.parse(succeed(["state", id])) as { pid: number };
      expect(readFileSync(`/proc/${pid}/status`, "utf8")).toMatch(/^Seccomp:\s*2$/m);
    }
  });

  test("exec is under the filter, too", () => {
    const id = startDetached("sleep 100", denying({ errnoRet: 13 }));
    expect(tsrunc(["exec", id, "mkdir", "/tmp/x"]).stderr).toMatch(/Permission denied/);
  });

  test("a startContainer hook runs under the filter, with no descriptor but its own", () => {
    const edit = (config: TestSpec) => {
      denying()(config);
      const script = "ls /proc/self/fd > /fds; mkdir /made 2> /said";
      config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", `${script}; true`] }] };
    };
    expect(output("cat /fds /said", edit)).toMatch(/^0\n1\n2\n3\nmkdir: .*not permitted/);
  });

  test("the filter is built once, and taken from where it is kept afterwards", () => {
    expect(output("mkdir /tmp/x 2>&1 || true", denying())).toContain("not permitted");
    const place = join(directory(), "state", "seccomp:filters");
    expect(readdirSync(place)).toHaveLength(1);
    expect(output("mkdir /tmp/x 2>&1 || true", denying())).toContain("not permitted");
    expect(readdirSync(place)).toHaveLength(1);
    expect(output("mkdir /tmp/x 2>&1 || true", denying({ errnoRet: 13 }))).toContain("Permission denied");
    expect(readdirSync(place)).toHaveLength(2);
    expect(succeed(["list", "-q"])).toBe("");
  });

  test("another filter is built for every part of a profile that differs", () => {
    const args = [{ index: 1, value: 5, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ" }];
    const rule = { names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 13, args };
    const profile = { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"], syscalls: [rule] };
    const withRule = (change: object) => ({ ...profile, syscalls: [{ ...rule, ...change }] });
    const withArgument = (change: object) => withRule({ args: [{ ...args[0], ...change }] });
    const variants: object[] = [
      profile,
      ...[
        { ...profile, defaultAction: "SCMP_ACT_LOG" },
        { ...profile, architectures: ["SCMP_ARCH_X32"] },
      ],
      ...[
        { ...profile, defaultAction: "SCMP_ACT_TRACE" },
        { ...profile, defaultAction: "SCMP_ACT_TRACE", defaultErrnoRet: 7 },
      ],
      ...[withRule({ names: ["mkdirat"] }), withRule({ action: "SCMP_ACT_TRACE" }), withRule({ errnoRet: 14 })],
      ...[withArgument({ index: 2 }), withArgument({ value: 6 }), withArgument({ valueTwo: 4 })],
      ...[withArgument({ op: "SCMP_CMP_EQ" }), { ...profile, syscalls: [rule, rule] }, { ...profile, syscalls: [] }],
    ];
    for (const variant of variants) {
      run("true", (config) => {
        config.linux.seccomp = variant as never;
      });
    }
    expect(readdirSync(join(directory(), "state", "seccomp:filters"))).toHaveLength(variants.length);
  });

  test("an execve that the filter denies is said, and ends the container", () => {
    const denied = (config: TestSpec) => filter(config, [{ names: ["execve"], action: "SCMP_ACT_ERRNO" }]);
    expect(run("true", denied)).toEqual({
      code: 255,
      stdout: "",
      stderr: expect.stringMatching(/operation not permitted/i),
    });
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true", denied).path, id]);
    tsrunc(["start", id]);
    expect(JSON.parse(succeed(["state", id]))).toMatchObject({ status: "stopped" });
  });

  test("a filter that leaves nothing to the last steps before it is said to be what may have ended them", () => {
    const bundle = makeBundle("true", (config) => filter(config, [], { defaultAction: "SCMP_ACT_KILL_PROCESS" }));
    const error = refused(["create", "--bundle", bundle.path, newId()]);
    expect(error).toMatch(/ended by SIGSYS while it was being set up: its seccomp profile may forbid what that takes/);
  });

  test("an execve that the filter answers by a signal ends the container", () => {
    const { code } = run("true", (config) => filter(config, [{ names: ["execve"], action: "SCMP_ACT_KILL_PROCESS" }]));
    expect(code).toBe(128 + 31); // SIGSYS
  });

  test("a tight memory limit does not keep a long profile from being built", ({ skip }) => {
    const profile = join("../shared/bundles/docker/config.json");
    skip(!existsSync(profile), `needs ${profile}`);
    const { seccomp } = JSON.parse(readFileSync(profile, "utf8")).linux;
    const limited = (config: TestSpec) => {
      config.linux.seccomp = seccomp;
      config.linux.resources.memory = { limit: 8 << 20 };
    };
    expect(output("echo inside", limited)).toBe("inside");
  });

  test("an unknown call is passed over without a word, and refused where crun's annotation asks for that", () => {
    const rules = [{ names: ["no_such_call", ...MKDIR], action: "SCMP_ACT_ERRNO" }];
    expect(output("mkdir /tmp/x 2>&1 || true", (config) => filter(config, rules))).toContain("not permitted");
    const { code, stderr } = run("true", (config) => {
      filter(config, rules);
      config.annotations["run.oci.seccomp_fail_unknown_syscall"] = "1";
    });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("no_such_call") });
  });

  test("an unknown call is told in the log each time, also where the filter is kept from before", () => {
    const bundle = makeBundle("true", (config) =>
      filter(config, [{ names: ["no_such_call"], action: "SCMP_ACT_ERRNO" }]),
    );
    for (const log of ["first", "second"]) {
      const path = join(directory(), log);
      const { code, stderr } = tsrunc(["run", "--bundle", bundle.path, newId()], {
        global: ["--debug", "--log", path],
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(readFileSync(path, "utf8")).toMatch(/passing over system calls that .* does not know: no_such_call/);
    }
  });

  test("a filter as the kernel takes it comes by crun's annotation", () => {
    // mkdir and mkdirat get EACCES, all else is allowed. aarch64 has only the second, which is asked for twice there.
    const [mkdir, mkdirat] = process.arch === "arm64" ? [34, 34] : [83, 258];
    const program = [
      [0x20, 0, 0, 0],
      [0x15, 2, 0, mkdir],
      [0x15, 1, 0, mkdirat],
      [0x06, 0, 0, 0x7fff0000],
      [0x06, 0, 0, 0x00050000 + 13],
    ];
    const bytes = Buffer.concat(
      program.map(([code = 0, ifTrue = 0, ifFalse = 0, operand = 0]) => {
        const instruction = Buffer.from([code & 0xff, 0, ifTrue, ifFalse, 0, 0, 0, 0]);
        instruction.writeUInt32LE(operand, 4);
        return instruction;
      }),
    );
    const edit = (config: TestSpec) => {
      config.annotations["run.oci.seccomp_bpf_data"] = bytes.toString("base64");
    };
    expect(output("mkdir /tmp/x 2>&1 || true", edit)).toContain("Permission denied");
    const wrong = run("true", (config) => {
      config.annotations["run.oci.seccomp_bpf_data"] = "AAAA";
    });
    expect(wrong.stderr).toMatch(/seccomp_bpf_data: is no filter: 3 bytes/);
    const allow = Buffer.from("06000000" + "0000ff7f", "hex");
    for (const [data, words] of [
      ["", "it is empty"],
      ["!!!", "it is no base64"],
      [`${allow.toString("base64")}AAAA`, "it is no base64"],
      [`!${allow.toString("base64")}`, "it is no base64"],
      [Buffer.concat(Array(4097).fill(allow)).toString("base64"), "4097 instructions, and the kernel takes 4096"],
    ] as const) {
      const { code, stderr } = run("true", (config) => {
        config.annotations["run.oci.seccomp_bpf_data"] = data;
      });
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(words) });
    }
  });

  test.for(["docker", "podman", "containerd"])(
    "every call that %s's profile denies gets its errno, from inside",
    (engine, { skip }) => {
      const file = `../shared/bundles/${engine}/config.json`;
      skip(!existsSync(file) || !existsSync("/usr/bin/python3"), `needs ${file} and python3`);
      const { seccomp } = JSON.parse(readFileSync(file, "utf8")).linux;
      skip(seccomp === undefined, `${file} has no profile`);
      // Calls with wild arguments: only such as are denied, which do nothing. Those that take no argument and would be allowed are not tried.
      const script = [
        "import ctypes, os, sys",
        "libc = ctypes.CDLL(None, use_errno=True)",
        "bad = []",
        "for number, errno in [map(int, pair.split(':')) for pair in sys.argv[1].split(',')]:",
        "    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)",
        "    bad += [(number, result, ctypes.get_errno())] if result != -1 or ctypes.get_errno() != errno else []",
        "print('bad', bad)",
      ].join("\n");
      const rules = seccomp.syscalls as { names: string[]; action: string; errnoRet?: number }[];
      const saying = (name: string, action: string) =>
        rules.find((rule) => rule.names.includes(name) && rule.action === action);
      const numbers = Object.entries(DENIED[process.arch === "arm64" ? "arm64" : "x64"])
        .filter(([name]) => saying(name, "SCMP_ACT_ALLOW") === undefined)
        .map(([name, number]) => {
          const rule = saying(name, "SCMP_ACT_ERRNO");
          return `${number}:${rule === undefined ? (seccomp.defaultErrnoRet ?? 1) : (rule.errnoRet ?? 1)}`;
        });
      expect(numbers.length).toBeGreaterThan(3);
      const shown = output(["/usr/bin/python3", "-c", script, numbers.join(",")], (config) => {
        config.linux.seccomp = seccomp;
        for (const path of ["/usr", "/lib", "/lib64", "/etc"]) {
          if (existsSync(path))
            config.mounts.push({ destination: path, type: "bind", source: path, options: ["rbind", "ro"] });
        }
      });
      expect(shown).toBe("bad []");
    },
  );
});
