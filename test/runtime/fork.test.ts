import { type ChildProcess, spawn } from "node:child_process";
import { readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Driver } from "../support/driver.ts";
import { whyNotPrivileged } from "../support/privileges.ts";

describe.skipIf(whyNotPrivileged() !== null)("forking into a user namespace (needs root)", () => {
  let driver: Driver;
  let member: ChildProcess;

  beforeAll(async () => {
    driver = new Driver("test/runtime/fork-into.driver.ts");
    member = spawn("unshare", ["--user", "--map-root-user", "sleep", "60"]);
    const own = readlinkSync("/proc/self/ns/user");
    while (readlinkSync(`/proc/${member.pid}/ns/user`) === own) await new Promise((done) => setTimeout(done, 10));
  });
  afterAll(() => {
    member.kill("SIGKILL");
    driver[Symbol.dispose]();
  });

  it("hears the new process, even when that speaks before the helper has told of it", () => {
    const { stdout, stderr } = driver.run(String(member.pid), "20");
    expect(JSON.parse(stdout || "null"), stderr).toEqual({ ready: 20 });
  });
});
