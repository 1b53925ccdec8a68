/** AppArmor profiles, where the kernel enforces them. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  commandLine,
  commandTimeout,
  directory,
  type Edit,
  hasProgram,
  makeBundle,
  newId,
  run,
  startDetached,
  state,
  succeed,
  tsrunc,
  useContainers,
} from "../harness.ts";

const ENABLED = "/sys/module/apparmor/parameters/enabled";
const enabled = existsSync(ENABLED) && readFileSync(ENABLED, "utf8").startsWith("Y");
const whyNot = !enabled ? "needs AppArmor" : hasProgram("apparmor_parser") ? null : "needs apparmor_parser";

useContainers();

/** Loads a profile that lets everything be but writing to /tmp/denied. @returns its name */
function loadProfile(name = `tsrunc-test-${process.pid}`): string {
  const path = join(directory(), name);
  const rules = "file, capability, mount, umount, pivot_root, ptrace, signal, network, unix, change_profile,";
  writeFileSync(path, `profile ${name} flags=(attach_disconnected) {\n  ${rules}\n  deny /tmp/denied w,\n}\n`);
  execFileSync("apparmor_parser", ["--replace", "--skip-cache", path]);
  return name;
}

const TRY =
  "cat /proc/self/attr/current; echo > /tmp/allowed && echo allowed; echo > /tmp/denied && echo not denied; true";

const under =
  (profile: string, noNewPrivileges = true): Edit =>
  (config) => {
    config.process.apparmorProfile = profile;
    config.process.noNewPrivileges = noNewPrivileges;
  };

describe.skipIf(whyNot !== null)(`a profile (${whyNot ?? "AppArmor"})`, () => {
  test.each([true, false])("is in force, with no_new_privs: %j", (noNewPrivileges) => {
    const name = loadProfile();
    const { code, stdout } = run(TRY, under(name, noNewPrivileges));
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${name} (enforce)\nallowed\n` });
  });

  test("is in force for an exec, which may name another", () => {
    const name = loadProfile();
    const id = startDetached("sleep 1000", under(name));
    expect(succeed(["exec", id, "cat", "/proc/self/attr/current"])).toBe(`${name} (enforce)\n`);
    const other = loadProfile(`${name}-other`);
    expect(succeed(["exec", "--apparmor", other, id, "cat", "/proc/self/attr/current"])).toBe(`${other} (enforce)\n`);
    const plain = succeed(["exec", "--apparmor", "unconfined", id, "cat", "/proc/self/attr/current"]);
    expect(plain).toBe("unconfined\n");
    expect(readFileSync(`/proc/${state(id).pid}/attr/current`, "utf8")).toBe(`${name} (enforce)\n`);
  });

  test("that is not loaded is named, for the container and an exec, and nothing runs", () => {
    const { code, stdout, stderr } = run("echo started", under("no-such-profile"));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain('the profile \\"no-such-profile\\" is not loaded');
    const done = tsrunc(["exec", "--apparmor", "no-such-profile", startDetached(), "echo", "started"]);
    expect(done).toMatchObject({ code: 255, stdout: "", stderr: expect.stringContaining("is not loaded") });
  });

  test("is stacked on that of a runtime which is confined itself, with no_new_privs", () => {
    const outer = loadProfile(`tsrunc-test-${process.pid}-outer`);
    const inner = loadProfile();
    const bundle = makeBundle("cat /proc/self/attr/current", under(inner));
    const args = ["-p", outer, "--", ...commandLine(["run", "--bundle", bundle.path, newId()])];
    const { stdout } = spawnSync("aa-exec", args, { encoding: "utf8", timeout: commandTimeout });
    expect(
      stdout
        .trim()
        .replace(/ \(enforce\)$/, "")
        .split("//&")
        .sort(),
    ).toEqual([inner, outer].sort());
  });
});
