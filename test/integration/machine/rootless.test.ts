/** The systemd driver for an ordinary user: by the user's own manager, from a cgroup of theirs and from one that is not. */

import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commandLine, commandTimeout, directory, makeBundle, newId, type Result, useContainers } from "../harness.ts";
import { version, whyNoSystemd } from "./machine.ts";

useContainers();

/** The first user but root whose manager runs. */
const uid = existsSync("/run/user")
  ? (readdirSync("/run/user").find((name) => name !== "0" && existsSync(`/run/user/${name}/bus`)) ?? null)
  : null;
const whyNot =
  whyNoSystemd ?? (version === 1 ? "needs cgroup v2" : uid === null ? "needs a user with a systemd manager" : null);

/** Where a command of the user's starts: below their manager, or, as from a login by ssh, elsewhere. */
type From = "a scope of their own" | "elsewhere";

function asUser(from: From, command: readonly string[]): Result {
  const name = execFileSync("id", ["-un", uid as string], { encoding: "utf8" }).trim();
  const runtimeDirectory = `XDG_RUNTIME_DIR=/run/user/${uid}`;
  const scope = from === "elsewhere" ? [] : ["systemd-run", "--user", "--scope", "--quiet"];
  const all = ["-u", name, "--", "env", "-u", "DBUS_SESSION_BUS_ADDRESS", runtimeDirectory, ...scope, ...command];
  const { status, stdout, stderr } = spawnSync("runuser", all, { encoding: "utf8", cwd: "/", timeout: commandTimeout });
  return { code: status ?? 1, stdout, stderr };
}

describe.skipIf(whyNot !== null)(`a user's container (${whyNot ?? "systemd, by their own manager"})`, () => {
  test.each<From>(["a scope of their own", "elsewhere"])("has its limits and its execs, from %s", (from) => {
    const id = newId();
    const bundle = makeBundle(["sleep", "1000"], ({ linux }) => {
      linux.namespaces.push({ type: "user" });
      linux.uidMappings = [{ containerID: 0, hostID: Number(uid), size: 1 }];
      linux.gidMappings = [{ containerID: 0, hostID: statSync(`/run/user/${uid}`).gid, size: 1 }];
      linux.cgroupsPath = `:tsrunc:${id}`;
      linux.resources = { pids: { limit: 20 }, memory: { limit: 64 << 20 } };
    });
    execFileSync("chown", ["-R", String(uid), bundle.path]);
    const root = join(directory(), "state");
    chownSync(root, Number(uid), 0);
    const tsrunc = (...args: string[]) => asUser(from, commandLine(["--systemd-cgroup", ...args]));
    const good = (...args: string[]): string => {
      const { code, stdout, stderr } = tsrunc(...args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
      return stdout;
    };
    // The streams of what is detached would stay open for as long as it runs.
    const detached = (...args: string[]): void => {
      const command = commandLine(["--systemd-cgroup", ...args]);
      const { code } = asUser(from, ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", ...command]);
      expect({ args, code }).toEqual({ args, code: 0 });
    };
    const property = (name: string): string =>
      asUser(from, ["systemctl", "--user", "show", "--value", "--property", name, `tsrunc-${id}.scope`]).stdout.trim();
    try {
      detached("run", "--detach", "--bundle", bundle.path, id);
      expect([property("ActiveState"), property("TasksMax"), property("MemoryMax")]).toEqual([
        "active",
        "20",
        String(64 << 20),
      ]);
      detached("exec", "--detach", id, "sleep", "1000");
      const procs = join("/sys/fs/cgroup", property("ControlGroup"), "cgroup.procs");
      expect(readFileSync(procs, "utf8")).toMatch(/^\d+\n\d+\n$/);
      good("update", "--memory", "96M", id);
      expect(property("MemoryMax")).toBe(String(96 << 20));
      good("delete", "--force", id);
      expect(property("LoadState")).toBe("not-found");
    } finally {
      tsrunc("delete", "--force", id);
    }
  });
});
