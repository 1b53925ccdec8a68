/** runtime.md, "Delete". */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { leftovers } from "../harness/cleanup.ts";

check("runtime/delete-operation-generate-error-provided", "delete without an id is an error", async (subject) => {
  await subject.refused(["delete"]);
});

check(
  "runtime/delete-attempting-delete-stopped-have",
  "delete of an unknown container is an error",
  async (subject) => {
    await subject.refused(["delete", subject.newId()]);
  },
);

check(
  "runtime/delete-attempting-delete-stopped-have",
  "delete of a running container is an error without effect",
  async (subject) => {
    const id = await subject.start();
    const before = await subject.state(id);
    await subject.refused(["delete", id]);
    expect(await subject.state(id)).toMatchObject({ status: "running", pid: before.pid });
  },
);

check(
  "runtime/delete-attempting-delete-stopped-have",
  "delete of a created container is an error without effect",
  async (subject) => {
    const id = await subject.create();
    const result = await subject.command(["delete", id]);
    expect(result.code, "the exit code of delete").not.toBe(0);
    expect((await subject.state(id)).status).toBe("created");
  },
);

check(
  "runtime/delete-deleting-delete-resources-were",
  "delete of a stopped container makes an end of it",
  async (subject) => {
    const id = await subject.start("true");
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    await subject.refused(["state", id]);
  },
);

check("runtime/delete-deleting-delete-resources-were", "delete leaves no process, mount or cgroup", async (subject) => {
  const id = await subject.start("sleep 1000 & sleep 1000");
  await subject.succeed(["kill", id, "KILL"]);
  await subject.untilStatus(id, "stopped");
  await subject.succeed(["delete", id]);
  expect(await leftovers(subject.directory, [id])).toEqual([]);
});

check(
  "runtime/delete-deleting-delete-resources-were",
  "delete leaves nothing in the state directory",
  async (subject) => {
    const id = await subject.start("true");
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    expect(subject.states()).toEqual([]);
  },
);

check(
  "runtime/delete-note-resources-associated-but",
  "delete leaves the bundle and what was bound alone",
  async (subject) => {
    const shared = join(subject.directory, "shared");
    mkdirSync(shared);
    writeFileSync(join(shared, "file"), "kept");
    const bundle = subject.bundle("true", ({ mounts }) => {
      mounts.push({ destination: "/tmp", type: "bind", source: shared, options: ["rbind"] });
    });
    const id = subject.newId();
    await subject.succeed(["create", "--bundle", bundle.path, id]);
    await subject.succeed(["start", id]);
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    expect(readFileSync(join(shared, "file"), "utf8")).toBe("kept");
    expect(existsSync(join(bundle.path, "config.json"))).toBe(true);
    expect(existsSync(join(bundle.rootfs, "bin/busybox"))).toBe(true);
  },
);

check(
  "runtime/delete-note-resources-associated-but",
  "delete of one container leaves another running",
  async (subject) => {
    const other = await subject.start();
    const id = await subject.start("true");
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    expect((await subject.state(other)).status).toBe("running");
  },
);

check(
  "runtime/lifecycle-destroyed-undoing-steps-performed",
  "what create mounted is gone after delete",
  async (subject) => {
    const id = await subject.create();
    await subject.succeed(["kill", id, "KILL"]);
    await subject.untilStatus(id, "stopped");
    await subject.succeed(["delete", id]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(subject.directory);
  },
);
