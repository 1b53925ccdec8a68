/** runtime.md, "Kill". */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { type Bundle, type Subject, until } from "../harness/subject.ts";

check("runtime/kill-operation-generate-error-provided", "kill without an id is an error", async (subject) => {
  await subject.refused(["kill"]);
});

check("runtime/kill-attempting-send-signal-neither", "kill of an unknown container is an error", async (subject) => {
  await subject.refused(["kill", subject.newId(), "KILL"]);
});

check("runtime/kill-attempting-send-signal-neither", "kill of a stopped container is an error", async (subject) => {
  const id = await subject.start("true");
  await subject.untilStatus(id, "stopped");
  await subject.refused(["kill", id, "TERM"]);
  expect((await subject.state(id)).status).toBe("stopped");
});

/** Signals by the ways in which callers name them, and how the container's shell knows them. */
const SIGNALS: readonly [given: string, trapped: string][] = [
  ["TERM", "TERM"],
  ["SIGTERM", "TERM"],
  ["15", "TERM"],
  ["USR1", "USR1"],
  ["SIGUSR2", "USR2"],
  ["HUP", "HUP"],
  ["INT", "INT"],
  ["QUIT", "QUIT"],
  ["WINCH", "WINCH"],
  ["CONT", "CONT"],
  ["10", "USR1"],
];

/** A running container whose init writes the name of each signal that it gets. */
async function listening(subject: Subject): Promise<{ id: string; bundle: Bundle }> {
  const names = [...new Set(SIGNALS.map(([, name]) => name))];
  const traps = names.map((name) => `trap 'echo ${name} >> /tmp/got' ${name}`).join("; ");
  const bundle = subject.bundle(`${traps}; touch /tmp/ready; while :; do sleep 0.05; done`);
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  await subject.succeed(["start", id]);
  await until("the traps are set", () => subject.read(bundle, "tmp/ready") !== null);
  return { id, bundle };
}

for (const [given, trapped] of SIGNALS) {
  check(
    "runtime/kill-operation-send-specified-signal",
    `kill ${given} reaches the process as SIG${trapped}`,
    async (subject) => {
      const { id, bundle } = await listening(subject);
      await subject.succeed(["kill", id, given]);
      await until(`SIG${trapped} in the container`, () => subject.read(bundle, "tmp/got") === `${trapped}\n`);
    },
  );
}

check("runtime/kill-operation-send-specified-signal", "kill KILL ends the process", async (subject) => {
  const id = await subject.start();
  await subject.succeed(["kill", id, "KILL"]);
  await subject.untilStatus(id, "stopped");
});

check("runtime/kill-operation-send-specified-signal", "kill KILL ends a created container", async (subject) => {
  const id = await subject.create();
  await subject.succeed(["kill", id, "SIGKILL"]);
  await subject.untilStatus(id, "stopped");
});

check(
  "runtime/kill-operation-send-specified-signal",
  "kill with an unknown signal is an error without effect",
  async (subject) => {
    const id = await subject.start();
    await subject.refused(["kill", id, "SIGNOSUCH"]);
    expect((await subject.state(id)).status).toBe("running");
  },
);

check(
  "runtime/kill-operation-send-specified-signal",
  "kill of a real-time signal by number reaches the process",
  async (subject) => {
    const id = await subject.start();
    await subject.succeed(["kill", id, "40"]);
    // Nobody handles it: as init of its pid namespace the process ignores it, if the namespace is its own.
    expect((await subject.state(id)).status).toBe("running");
  },
);
