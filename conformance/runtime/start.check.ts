/** runtime.md, "Start". */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { until } from "../harness/subject.ts";

check("runtime/start-operation-generate-error-provided", "start without an id is an error", async (subject) => {
  await subject.refused(["start"]);
});

check("runtime/start-attempting-start-created-have", "start of an unknown container is an error", async (subject) => {
  await subject.refused(["start", subject.newId()]);
});

check(
  "runtime/start-attempting-start-created-have",
  "start of a running container is an error without effect",
  async (subject) => {
    const bundle = subject.bundle("echo once >> /tmp/out; sleep 1000");
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.succeed(["start", id]);
    await until("the program's output", () => subject.read(bundle, "tmp/out") !== null);
    const before = await subject.state(id);
    await subject.refused(["start", id]);
    expect(await subject.state(id)).toMatchObject({ status: "running", pid: before.pid });
    expect(subject.read(bundle, "tmp/out")).toBe("once\n");
  },
);

check(
  "runtime/start-attempting-start-created-have",
  "start of a stopped container is an error without effect",
  async (subject) => {
    const bundle = subject.bundle("echo once >> /tmp/out");
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.succeed(["start", id]);
    await subject.untilStatus(id, "stopped");
    await subject.refused(["start", id]);
    expect(subject.read(bundle, "tmp/out")).toBe("once\n");
    expect((await subject.state(id)).status).toBe("stopped");
  },
);

check("runtime/start-operation-run-user-specified", "start runs the program with its arguments", async (subject) => {
  const bundle = subject.bundle(["/bin/sh", "-c", 'printf "%s\\n" "$@" > /tmp/out', "sh", "a", "", "b c", "*"]);
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  await subject.succeed(["start", id]);
  await until("the program's output", () => subject.read(bundle, "tmp/out") === "a\n\nb c\n*\n");
});

check("runtime/start-operation-run-user-specified", "start returns while the program goes on", async (subject) => {
  const id = await subject.start("sleep 1000");
  expect((await subject.state(id)).status).toBe("running");
});

check(
  "runtime/lifecycle-run-user-specified-program",
  "a program that is not there is an error of create or start",
  async (subject) => {
    const id = subject.newId();
    const created = await subject.command(["create", "--bundle", subject.bundle(["/no/such/program"]).path, id]);
    if (created.code === 0) await subject.refused(["start", id]);
    expect(created.code, "create ended").not.toBeNull();
  },
);

check(
  "runtime/start-operation-generate-error-process",
  "a container without `process` cannot be started",
  async (subject) => {
    const id = subject.newId();
    const bundle = subject.bundle("true", (spec) => {
      delete (spec as { process?: unknown }).process;
    });
    // The spec lets create accept it; most runtimes refuse at once.
    const created = await subject.command(["create", "--bundle", bundle.path, id]);
    expect(created.code, "create ended").not.toBeNull();
    if (created.code === 0) await subject.refused(["start", id]);
  },
);

check(
  "runtime/lifecycle-run-user-specified-program",
  "the container is stopped once its program ends",
  async (subject) => {
    const id = await subject.start("exit 3");
    await subject.untilStatus(id, "stopped");
  },
);
