/** bundle.md, and what runtime.md says of operations, errors and warnings at large. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";

check(
  "bundle/container-format-file-reside-root-bundle",
  "a configuration by another name is no bundle's",
  async (subject) => {
    const bundle = subject.bundle("true");
    renameSync(join(bundle.path, "config.json"), join(bundle.path, "configuration.json"));
    await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
  },
);

check(
  "bundle/container-format-file-reside-root-bundle",
  "a configuration in a directory below is no bundle's",
  async (subject) => {
    const bundle = subject.bundle("true");
    mkdirSync(join(bundle.path, "below"));
    renameSync(join(bundle.path, "config.json"), join(bundle.path, "below/config.json"));
    await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
  },
);

check(
  "bundle/container-format-supplied-while-these-artifacts",
  "a bundle's own path is not seen in the container",
  async (subject) => {
    const bundle = subject.bundle("ls -A /");
    const { stdout } = await subject.succeed(["run", "--bundle", bundle.path, subject.newId()]);
    expect(stdout.split("\n")).toContain("bin");
    expect(stdout.split("\n")).not.toContain("config.json");
  },
);

for (const operation of ["state", "create", "start", "kill", "delete"]) {
  check("runtime/operations-unless-otherwise-stated-support", `there is an operation ${operation}`, async (subject) => {
    const { stdout, stderr } = await subject.command([operation, "--help"]);
    expect(stdout + stderr).toContain(operation);
  });
}

check(
  "runtime/lifecycle-s-environment-created-according",
  "two containers of one bundle are alike",
  async (subject) => {
    const bundle = subject.bundle("hostname; pwd; id -u");
    const outputs: string[] = [];
    for (let round = 0; round < 2; round++) {
      outputs.push((await subject.succeed(["run", "--bundle", bundle.path, subject.newId()])).stdout);
    }
    expect(outputs[0]).toBe("checked\n/\n0\n");
    expect(outputs[1]).toBe(outputs[0]);
  },
);

check(
  "runtime/lifecycle-poststart-hook-fails-generate",
  "a poststart hook that fails stops the container",
  async (subject) => {
    const id = await subject.create("sleep 1000", (spec) => {
      spec.hooks = { poststart: [{ path: "/bin/false" }] };
    });
    await subject.refused(["start", id]);
    const { code, stdout } = await subject.command(["state", id]);
    if (code === 0) expect(JSON.parse(stdout).status).toBe("stopped");
  },
);

check("runtime/warnings-unless-otherwise-stated-logging", "what only deserves a warning goes on", async (subject) => {
  expect(
    await subject.output("echo went on", (spec) => {
      spec["unknownToAll"] = true;
    }),
  ).toBe("went on");
});

check("runtime/errors-unless-otherwise-stated-generating", "a start that fails twice fails alike", async (subject) => {
  const id = subject.newId();
  const bundle = subject.bundle("true");
  writeFileSync(join(bundle.path, "config.json"), "{}");
  const first = await subject.refused(["create", "--bundle", bundle.path, id]);
  const second = await subject.refused(["create", "--bundle", bundle.path, id]);
  expect(second.code).toBe(first.code);
});
