import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { whyNotLeaderless, writeLeaderless } from "../support/leaderless.ts";
import { makeBundle, newId, refused, startDetached, state, succeed, tsrunc, until, useContainers } from "./harness.ts";

useContainers();

/** Starts a container whose main thread ends at once, and waits for that. @returns its id */
async function startLeaderless(): Promise<string> {
  const id = newId();
  const bundle = makeBundle(["/bin/leaderless"]);
  writeLeaderless(join(bundle.rootfs, "bin/leaderless"));
  succeed(["run", "--detach", "--bundle", bundle.path, id]);
  const { pid } = state(id);
  await until("the main thread has ended", () => / Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8")));
  return id;
}

describe.skipIf(whyNotLeaderless !== null)(
  `a container whose main thread has ended while another lives (${whyNotLeaderless ?? "it runs"})`,
  () => {
    test("is running, and not deleted without --force", async () => {
      const id = await startLeaderless();
      expect(state(id)).toMatchObject({ status: "running", pid: expect.any(Number) });
      expect(refused(["delete", id])).toContain("that is not stopped: running");
      expect(state(id).status).toBe("running");
    });

    test("takes another process", async () => {
      const id = await startLeaderless();
      expect(succeed(["exec", id, "cat", "/proc/sys/kernel/hostname"])).toBe("container\n");
    });

    test("can be paused, killed, and is stopped then", async () => {
      const id = await startLeaderless();
      succeed(["pause", id]);
      expect(state(id).status).toBe("paused");
      succeed(["resume", id]);
      succeed(["kill", id, "KILL"]);
      await until("it is stopped", () => state(id).status === "stopped");
      succeed(["delete", id]);
    });

    test("is gone after delete --force", async () => {
      const id = await startLeaderless();
      succeed(["delete", "--force", id]);
      expect(refused(["state", id])).toContain("does not exist");
    });
  },
);

test("delete --force ends a process that somebody has put into the cgroup of a stopped container", async () => {
  const cgroup = `/test-strays-${process.pid}`;
  const id = startDetached("true", (config) => Object.assign(config.linux, { cgroupsPath: cgroup }));
  await until("it is stopped", () => state(id).status === "stopped");
  const stray = spawn("sleep", ["1000"], { stdio: "ignore" });
  const hierarchies = readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name, cgroup));
  for (const directory of hierarchies.filter(existsSync)) {
    writeFileSync(join(directory, "cgroup.procs"), String(stray.pid));
  }
  const end = new Promise((done) => stray.once("exit", (_, signal) => done(signal)));
  expect(tsrunc(["delete", id]).code).toBe(1);
  succeed(["delete", "--force", id]);
  expect(await end).toBe("SIGKILL");
});
