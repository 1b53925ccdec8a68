/** config-linux.md, "Seccomp": what a filter does is tried from inside, by programs that make the calls. */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { Spec } from "../harness/spec.ts";
import { type Subject, until } from "../harness/subject.ts";

/** A filter that allows all but what its rules say. */
function filter(spec: Spec, rules: Record<string, unknown>[], further: Record<string, unknown> = {}): void {
  if (spec.linux) spec.linux["seccomp"] = { defaultAction: "SCMP_ACT_ALLOW", syscalls: rules, ...further };
}

/** mkdir(1) makes one of these. */
const MKDIR = ["mkdir", "mkdirat"];

/** A runtime says by `features` that it has no seccomp; one without `features` is asked by trying. */
async function needsSeccomp(subject: Subject): Promise<void> {
  const { code, stdout } = await subject.command(["features"]);
  if (code === 0 && JSON.parse(stdout).linux?.seccomp?.enabled === false)
    subject.skip("the runtime says that it has no seccomp");
}

function refusesFilter(id: string, title: string, seccomp: Record<string, unknown>): void {
  check(id, title, async (subject) => {
    await needsSeccomp(subject);
    await subject.refusesConfig((spec) => {
      spec.linux["seccomp"] = seccomp;
    });
  });
}

check("config-linux/seccomp-action-action-seccomp-rules", "a filter is in force", async (subject) => {
  await needsSeccomp(subject);
  const { status } = await subject.sight((spec) => filter(spec, [{ names: MKDIR, action: "SCMP_ACT_ERRNO" }]));
  expect(status["Seccomp"]).toBe("2");
});

check("config-linux/seccomp-action-action-seccomp-rules", "without a filter there is none", async (subject) => {
  const { status } = await subject.sight();
  expect(status["Seccomp"]).toBe(/^Seccomp:\s*(\d)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
});

for (const [errno, words] of [
  [undefined, "Operation not permitted"],
  [13, "Permission denied"],
  [28, "No space left on device"],
  [38, "Function not implemented"],
] as const) {
  check(
    "config-linux/seccomp-action-action-seccomp-rules",
    `SCMP_ACT_ERRNO with errnoRet ${errno}: ${words}`,
    async (subject) => {
      await needsSeccomp(subject);
      const rule = { names: MKDIR, action: "SCMP_ACT_ERRNO", ...(errno !== undefined && { errnoRet: errno }) };
      const output = await subject.output("mkdir /tmp/made 2>&1 || true", (spec) => filter(spec, [rule]));
      expect(output).toContain(words);
    },
  );
}

for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"]) {
  check("config-linux/seccomp-action-action-seccomp-rules", `${action} ends the process by SIGSYS`, async (subject) => {
    await needsSeccomp(subject);
    const output = await subject.output("mkdir /tmp/made 2>/dev/null; echo $?", (spec) =>
      filter(spec, [{ names: MKDIR, action }]),
    );
    expect(output).toBe("159");
  });
}

for (const action of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"]) {
  check("config-linux/seccomp-action-action-seccomp-rules", `${action} lets the call through`, async (subject) => {
    await needsSeccomp(subject);
    await subject.output("mkdir /tmp/made", (spec) => filter(spec, [{ names: MKDIR, action }]));
  });
}

check("config-linux/seccomp-action-action-seccomp-rules", "SCMP_ACT_TRAP sends SIGSYS", async (subject) => {
  await needsSeccomp(subject);
  const output = await subject.output("mkdir /tmp/made 2>/dev/null; echo $?", (spec) =>
    filter(spec, [{ names: MKDIR, action: "SCMP_ACT_TRAP" }]),
  );
  expect(output).toBe("159");
});

check(
  "config-linux/seccomp-defaultaction-default-action-seccomp",
  "the default action is for calls without a rule",
  async (subject) => {
    await needsSeccomp(subject);
    const { code } = await subject.run("true", (spec) => {
      // Nothing is allowed: the program cannot even start.
      spec.linux["seccomp"] = {
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [{ names: ["getpid"], action: "SCMP_ACT_ALLOW" }],
      };
    });
    expect(code, "the run ended").not.toBeNull();
    expect(code, "the exit code").not.toBe(0);
  },
);

/** kill(2)'s second argument is the signal: 0 only asks. */
const OPERATORS: readonly [op: string, args: Record<string, unknown>, denied: string[], allowed: string[]][] = [
  ["SCMP_CMP_EQ", { value: 10 }, ["10"], ["12"]],
  ["SCMP_CMP_NE", { value: 12 }, ["10"], ["12"]],
  ["SCMP_CMP_GT", { value: 10 }, ["12"], ["10"]],
  ["SCMP_CMP_GE", { value: 12 }, ["12"], ["10"]],
  ["SCMP_CMP_LT", { value: 12 }, ["10"], ["12"]],
  ["SCMP_CMP_LE", { value: 10 }, ["10"], ["12"]],
  // 10 is 0b1010, 12 is 0b1100.
  ["SCMP_CMP_MASKED_EQ", { value: 2, valueTwo: 2 }, ["10"], ["12"]],
];

for (const [op, args, denied, allowed] of OPERATORS) {
  check(
    "config-linux/seccomp-op-operator-syscall-arguments",
    `${op} compares an argument, on both sides`,
    async (subject) => {
      await needsSeccomp(subject);
      const each = [...denied, ...allowed].map((signal) => `kill -${signal} $$ 2>&1 && echo sent`).join("; ");
      const output = await subject.output(`trap '' 10 12; ${each}; true`, (spec) =>
        filter(spec, [{ names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{ index: 1, op, ...args }] }]),
      );
      const lines = output.split("\n");
      expect(lines.slice(0, denied.length)).toEqual(denied.map(() => expect.stringMatching(/not permitted/)));
      expect(lines.slice(denied.length)).toEqual(allowed.map(() => "sent"));
    },
  );
}

check(
  "config-linux/seccomp-syscall-arguments-seccomp",
  "two conditions of one rule must both hold",
  async (subject) => {
    await needsSeccomp(subject);
    const output = await subject.output(
      "trap '' 10 12; kill -10 1 2>&1 && echo sent; kill -12 1 2>&1 && echo sent; true",
      (spec) =>
        filter(spec, [
          {
            names: ["kill"],
            action: "SCMP_ACT_ERRNO",
            args: [
              { index: 0, op: "SCMP_CMP_EQ", value: 1 },
              { index: 1, op: "SCMP_CMP_EQ", value: 10 },
            ],
          },
        ]),
    );
    expect(output).toMatch(/not permitted\nsent$/);
  },
);

check(
  "config-linux/seccomp-names-strings-names-syscalls",
  "a call that nobody knows is passed over",
  async (subject) => {
    await needsSeccomp(subject);
    const output = await subject.output("mkdir /tmp/made 2>&1 || true", (spec) =>
      filter(spec, [{ names: ["no_such_call", ...MKDIR], action: "SCMP_ACT_ERRNO" }]),
    );
    expect(output).toContain("not permitted");
  },
);

check("config-linux/seccomp-action-action-seccomp-rules", "exec is under the filter, too", async (subject) => {
  await needsSeccomp(subject);
  const id = await subject.start("sleep 1000", (spec) => filter(spec, [{ names: MKDIR, action: "SCMP_ACT_ERRNO" }]));
  const { stdout, stderr } = await subject.command(["exec", id, "mkdir", "/tmp/made"]);
  expect(stdout + stderr).toContain("not permitted");
});

check("config-linux/seccomp-action-action-seccomp-rules", "a filter does not need noNewPrivileges", async (subject) => {
  await needsSeccomp(subject);
  const { status } = await subject.sight((spec) => {
    spec.process.noNewPrivileges = false;
    filter(spec, [{ names: MKDIR, action: "SCMP_ACT_ERRNO" }]);
  });
  expect(status["Seccomp"]).toBe("2");
  expect(status["NoNewPrivs"]).toBe("0");
});

for (const flags of [
  [],
  ["SECCOMP_FILTER_FLAG_LOG"],
  ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
  ["SECCOMP_FILTER_FLAG_TSYNC"],
]) {
  check(
    "features-linux/seccomp-recognize-elements-flags-property",
    `the flags ${JSON.stringify(flags)} are accepted`,
    async (subject) => {
      await needsSeccomp(subject);
      const { code, stdout } = await subject.command(["features"]);
      const { supportedFlags = [] } = code === 0 ? (JSON.parse(stdout).linux?.seccomp ?? {}) : {};
      if (flags.some((flag) => !supportedFlags.includes(flag)))
        return subject.skip(`the runtime does not list ${flags}`);
      const { status } = await subject.sight((spec) =>
        filter(spec, [{ names: MKDIR, action: "SCMP_ACT_ERRNO" }], { flags }),
      );
      expect(status["Seccomp"]).toBe("2");
    },
  );
}

check(
  "features-linux/seccomp-recognize-elements-architectures-property",
  "the architectures of `features` are accepted",
  async (subject) => {
    await needsSeccomp(subject);
    const { code, stdout } = await subject.command(["features"]);
    if (code !== 0) return subject.skip("the runtime has no command `features`, which is optional");
    const architectures = JSON.parse(stdout).linux?.seccomp?.archs ?? [];
    const output = await subject.output("mkdir /tmp/made 2>&1 || true", (spec) =>
      filter(spec, [{ names: MKDIR, action: "SCMP_ACT_ERRNO" }], {
        architectures: architectures.filter((arch: string) => /X86|X32/.test(arch)),
      }),
    );
    expect(output).toContain("not permitted");
  },
);

const RULE = { names: ["mkdir"], action: "SCMP_ACT_ERRNO" };
refusesFilter(
  "config-linux/seccomp-defaultaction-default-action-seccomp",
  "a filter without default action is refused",
  { syscalls: [RULE] },
);
refusesFilter("config-linux/seccomp-defaultaction-default-action-seccomp", "an unknown default action is refused", {
  defaultAction: "SCMP_ACT_NO",
});
refusesFilter("config-linux/seccomp-names-contain-at-least", "a rule without names is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: [], action: "SCMP_ACT_ERRNO" }],
});
refusesFilter("config-linux/seccomp-action-action-seccomp-rules", "an unknown action is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NO" }],
});
refusesFilter("config-linux/seccomp-op-operator-syscall-arguments", "an unknown operator is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ ...RULE, args: [{ index: 0, value: 1, op: "SCMP_CMP_NO" }] }],
});
refusesFilter("config-linux/seccomp-index-uint-index-syscall", "an argument's index beyond 5 is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ ...RULE, args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }],
});
refusesFilter("config-linux/seccomp-action-doesn-t-support", "an errnoRet of an action that takes none is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_KILL", errnoRet: 1 }],
});
refusesFilter("config-linux/seccomp-field-listenerpath", "listenerMetadata without listenerPath is refused", {
  defaultAction: "SCMP_ACT_ALLOW",
  listenerMetadata: "data",
  syscalls: [RULE],
});
refusesFilter(
  "config-linux/seccomp-sending-socket-fails-generate",
  "a listenerPath at which nobody listens is refused",
  {
    defaultAction: "SCMP_ACT_ALLOW",
    listenerPath: "/no/such/socket",
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }],
  },
);

check(
  [
    "config-linux/containerprocessstate-send-process-state-over",
    "config-linux/containerprocessstate-ociversion-version-open-initiative",
    "config-linux/containerprocessstate-pid-process-id-seen",
    "config-linux/containerprocessstate-state-state-state",
    "config-linux/seccomp-send-exactly-one-process",
    "config-linux/seccomp-connection-reused-closed-after",
    "config-linux/seccomp-seccompfd-seccomp-file-descriptor",
  ],
  "the listener gets the container process state and the filter's descriptor, once",
  async (subject) => {
    await needsSeccomp(subject);
    const agent = await listen(subject);
    const id = await subject.create("mkdir /tmp/made; sleep 1000", (spec) =>
      filter(spec, [{ names: MKDIR, action: "SCMP_ACT_NOTIFY" }], {
        listenerPath: agent.socket,
        listenerMetadata: "some metadata",
      }),
    );
    await subject.succeed(["start", id]);
    await until("a message on the listener's socket", () => agent.messages().length > 0);
    const [message] = agent.messages();
    expect(message).toMatchObject({ descriptors: 1, closed: true });
    const state = JSON.parse(message?.text ?? "");
    expect(state).toMatchObject({
      ociVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      fds: ["seccompFd"],
      metadata: "some metadata",
      pid: (await subject.state(id)).pid,
      state: { id, status: expect.stringMatching(/^creat/), bundle: expect.stringMatching(/^\//) },
    });
  },
);

interface Message {
  text: string;
  descriptors: number;
  closed: boolean;
}

/** Listens for container process states, as a seccomp agent does. */
async function listen(subject: Subject): Promise<{ socket: string; messages: () => Message[] }> {
  const socket = join(subject.directory, "agent.sock");
  const output = join(subject.directory, "agent.out");
  const script = join(dirname(fileURLToPath(import.meta.url)), "../harness/seccomp-receiver.py");
  const child = spawn("python3", [script, socket, output], { stdio: "ignore" });
  subject.afterwards(() => void child.kill("SIGKILL"));
  let failed = false;
  child.once("error", () => {
    failed = true;
  });
  await until("a listening socket", () => existsSync(socket) || failed);
  if (failed) return subject.skip("needs python3");
  const lines = () => (existsSync(output) ? readFileSync(output, "utf8").split("\n").filter(Boolean) : []);
  return { socket, messages: () => lines().map((line) => JSON.parse(line) as Message) };
}
