/** runtime.md, "State" and "Query State". */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { until } from "../harness/subject.ts";

check("runtime/query-state-operation-generate-error-provided", "state without an id is an error", async (subject) => {
  await subject.refused(["state"]);
});

check(
  "runtime/query-state-attempting-query-does-exist",
  "state of an unknown container is an error",
  async (subject) => {
    await subject.refused(["state", subject.newId()]);
  },
);

check(
  "runtime/query-state-attempting-query-does-exist",
  "state of a deleted container is an error",
  async (subject) => {
    const id = await subject.create();
    await subject.succeed(["delete", "--force", id]);
    await subject.refused(["state", id]);
  },
);

check(
  "runtime/state-ociversion-version-open-initiative",
  "state has an ociVersion of three numbers",
  async (subject) => {
    expect((await subject.state(await subject.create())).ociVersion).toMatch(/^\d+\.\d+\.\d+/);
  },
);

check("runtime/state-id-s-id", "state has the container's id", async (subject) => {
  const id = await subject.create();
  expect((await subject.state(id)).id).toBe(id);
});

check("runtime/state-bundle-absolute-path-s", "state has the bundle's absolute path", async (subject) => {
  const bundle = subject.bundle("true");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  expect((await subject.state(id)).bundle).toBe(bundle.path);
});

check(
  "runtime/state-bundle-absolute-path-s",
  "the bundle's path is absolute when a relative one was given",
  async (subject) => {
    const bundle = subject.bundle("true");
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", ".", id], { cwd: bundle.path });
    expect((await subject.state(id)).bundle).toBe(bundle.path);
  },
);

check("runtime/state-status-state", "the status is `created` after create", async (subject) => {
  expect((await subject.state(await subject.create())).status).toBe("created");
});

check("runtime/state-status-state", "the status is `running` after start", async (subject) => {
  expect((await subject.state(await subject.start())).status).toBe("running");
});

check("runtime/state-status-state", "the status is `stopped` once the process has ended", async (subject) => {
  const id = await subject.start("exit 0");
  await subject.untilStatus(id, "stopped");
});

check("runtime/state-status-state", "the status is `stopped` once the process was killed", async (subject) => {
  const id = await subject.start();
  await subject.succeed(["kill", id, "KILL"]);
  await subject.untilStatus(id, "stopped");
});

check("runtime/state-status-state", "the status is `stopped` once a created container was killed", async (subject) => {
  const id = await subject.create();
  await subject.succeed(["kill", id, "KILL"]);
  await subject.untilStatus(id, "stopped");
});

check(
  "runtime/state-pid-status-created-running",
  "a created container has the pid of a live process",
  async (subject) => {
    const { pid = 0 } = await subject.state(await subject.create());
    expect(() => process.kill(pid, 0), "signal 0 to the pid").not.toThrow();
    expect(pid).toBeGreaterThan(1);
  },
);

check("runtime/state-pid-status-created-running", "a running container's pid is the process's own", async (subject) => {
  const bundle = subject.bundle("sleep 1000");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  const { pid: before } = await subject.state(id);
  await subject.succeed(["start", id]);
  expect((await subject.state(id)).pid).toBe(before);
});

check(
  "runtime/state-serialized-json-format-adhere",
  "each property of state has the schema's type",
  async (subject) => {
    const state = await subject.state(
      await subject.start("sleep 1000", (spec) => {
        spec.annotations = { "com.example.key": "value" };
      }),
    );
    expect(state).toMatchObject({
      ociVersion: expect.any(String),
      id: expect.any(String),
      status: expect.stringMatching(/^(creating|created|running|stopped)$/),
      pid: expect.any(Number),
      bundle: expect.stringMatching(/^\//),
      annotations: { "com.example.key": "value" },
    });
  },
);

check(
  "runtime/query-state-operation-return-state-specified",
  "state has the annotations of the configuration",
  async (subject) => {
    const annotations = { "com.example.a": "1", "com.example.empty": "", "com.example.unicode": 'ä "quoted" \\' };
    const id = await subject.create("true", (spec) => {
      spec.annotations = annotations;
    });
    expect((await subject.state(id)).annotations).toMatchObject(annotations);
  },
);

check(
  "runtime/state-unique-across-containers-host",
  "two containers of one runtime have states of their own",
  async (subject) => {
    const [first, second] = [await subject.create(), await subject.create()];
    await subject.succeed(["start", first]);
    expect((await subject.state(first)).status).toBe("running");
    expect((await subject.state(second)).status).toBe("created");
  },
);

check(
  "runtime/state-status-state",
  "a container whose init died outside the runtime's sight is `stopped`",
  async (subject) => {
    const id = await subject.start();
    const { pid = 0 } = await subject.state(id);
    process.kill(pid, "SIGKILL");
    await until("status stopped", async () => (await subject.state(id)).status === "stopped");
  },
);
