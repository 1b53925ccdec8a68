/** runtime.md, "Create". */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { pause, until } from "../harness/subject.ts";

check("runtime/create-operation-generate-error-provided", "create without an id is an error", async (subject) => {
  await subject.refused(["create", "--bundle", subject.bundle("true").path]);
});

check(
  "runtime/create-operation-generate-error-provided",
  "create in a directory that is no bundle is an error",
  async (subject) => {
    const empty = join(subject.directory, "empty");
    mkdirSync(empty);
    await subject.refused(["create", "--bundle", empty, subject.newId()]);
  },
);

check(
  "runtime/create-operation-generate-error-provided",
  "create with a bundle that does not exist is an error",
  async (subject) => {
    await subject.refused(["create", "--bundle", join(subject.directory, "none"), subject.newId()]);
  },
);

check(
  "runtime/create-id-provided-unique-across",
  "create with the id of a created container is an error",
  async (subject) => {
    const id = await subject.create();
    const { pid } = await subject.state(id);
    await subject.refused(["create", "--bundle", subject.bundle("true").path, id]);
    expect(await subject.state(id), "the first container is as it was").toMatchObject({ status: "created", pid });
  },
);

check(
  "runtime/create-id-provided-unique-across",
  "create with the id of a running container is an error",
  async (subject) => {
    const id = await subject.start();
    await subject.refused(["create", "--bundle", subject.bundle("true").path, id]);
    expect((await subject.state(id)).status).toBe("running");
  },
);

check(
  "runtime/create-id-provided-unique-across",
  "create with the id of a stopped container is an error",
  async (subject) => {
    const id = await subject.start("true");
    await subject.untilStatus(id, "stopped");
    await subject.refused(["create", "--bundle", subject.bundle("true").path, id]);
  },
);

check(
  "runtime/create-id-provided-unique-across",
  "an id can be used again once its container is deleted",
  async (subject) => {
    const id = await subject.create();
    await subject.succeed(["delete", "--force", id]);
    await subject.succeed(["create", "--bundle", subject.bundle("true").path, id]);
    expect((await subject.state(id)).status).toBe("created");
  },
);

for (const id of ["", "../escape", "a/b", "/absolute", "..", "."]) {
  check(
    "runtime/create-id-provided-unique-across",
    `create with the id ${JSON.stringify(id)} is an error`,
    async (subject) => {
      await subject.refused(["create", "--bundle", subject.bundle("true").path, id]);
      expect(existsSync(join(subject.directory, "escape")), "a directory outside the state's").toBe(false);
    },
  );
}

check("runtime/create-operation-create-new", "create makes a container that can be started", async (subject) => {
  const bundle = subject.bundle("echo started > /tmp/out");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  await subject.succeed(["start", id]);
  await until("the program's output", () => subject.read(bundle, "tmp/out") === "started\n");
});

check("runtime/lifecycle-while-resources-requested-config", "create does not run the program", async (subject) => {
  const bundle = subject.bundle("touch /tmp/ran");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  await pause(300);
  expect(subject.read(bundle, "tmp/ran")).toBeNull();
  await subject.succeed(["start", id]);
  await subject.untilStatus(id, "stopped");
  expect(subject.read(bundle, "tmp/ran")).not.toBeNull();
});

check(
  "runtime/lifecycle-while-resources-requested-config",
  "create makes the namespaces before start",
  async (subject) => {
    const { pid } = await subject.state(await subject.create());
    for (const name of ["pid", "net", "ipc", "uts", "mnt"]) {
      const { readlinkSync } = await import("node:fs");
      expect(readlinkSync(`/proc/${pid}/ns/${name}`), name).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    }
  },
);

check(
  "runtime/lifecycle-updates-config-json-after",
  "what is written to config.json after create has no effect",
  async (subject) => {
    const bundle = subject.bundle("echo first > /tmp/out");
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    if (bundle.spec.process) bundle.spec.process.args = ["/bin/sh", "-c", "echo second > /tmp/out"];
    subject.write(bundle);
    await subject.succeed(["start", id]);
    await until("the first program's output", () => subject.read(bundle, "tmp/out") === "first\n");
  },
);

check(
  "runtime/lifecycle-updates-config-json-after",
  "a created container can be started when config.json is gone",
  async (subject) => {
    const bundle = subject.bundle("echo ran > /tmp/out");
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    rmSync(join(bundle.path, "config.json"));
    await subject.succeed(["start", id]);
    await until("the program's output", () => subject.read(bundle, "tmp/out") === "ran\n");
  },
);

check(
  "runtime/create-cannot-apply-property-specified",
  "create with a sysctl that does not exist is an error",
  async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux.sysctl = { "net.does_not_exist": "1" };
    });
  },
);

check(
  "runtime/create-cannot-apply-property-specified",
  "create with a mount that cannot be made is an error",
  async (subject) => {
    await subject.refusesConfig(({ mounts }) => {
      mounts.push({ destination: "/tmp/x", type: "bind", source: "/does/not/exist", options: ["bind"] });
    });
  },
);

check(
  "runtime/create-cannot-apply-property-specified",
  "create with an unknown filesystem type is an error",
  async (subject) => {
    await subject.refusesConfig(({ mounts }) => {
      mounts.push({ destination: "/tmp/x", type: "no-such-fs", source: "none" });
    });
  },
);

check(
  "runtime/lifecycle-unable-create-environment-specified",
  "create with a config.json that is no JSON is an error",
  async (subject) => {
    const bundle = subject.bundle("true");
    writeFileSync(join(bundle.path, "config.json"), '{"ociVersion": "1.0.2", ');
    await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
  },
);

check(
  "runtime/errors-unless-otherwise-stated-generating",
  "a create that fails leaves no state, no mount, no cgroup",
  async (subject) => {
    const id = subject.newId();
    const bundle = subject.bundle("true", ({ mounts }) => {
      mounts.push({ destination: "/tmp/x", type: "no-such-fs", source: "none" });
    });
    await subject.refused(["create", "--bundle", bundle.path, id]);
    await subject.refused(["state", id]);
    // And the id is free.
    bundle.spec.mounts?.pop();
    subject.write(bundle);
    await subject.succeed(["create", "--bundle", bundle.path, id]);
  },
);

check(
  "runtime/scope-container-entity-using-create-able",
  "every operation works on a container that was created",
  async (subject) => {
    const id = await subject.create();
    await subject.succeed(["state", id]);
    await subject.succeed(["start", id]);
    await subject.succeed(["kill", id, "KILL"]);
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
  },
);
