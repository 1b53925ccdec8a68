import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  directory,
  ended,
  makeBundle,
  newId,
  output,
  refused,
  run,
  spawnTsrunc,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

describe("run", () => {
  test("prints what the container prints", () => {
    expect(output("echo out")).toBe("out");
    const { stderr } = run("echo err >&2");
    expect(stderr).toBe("err\n");
  });

  test("gives the container its stdin", () => {
    expect(run("cat", undefined, { input: "one\ntwo\n" }).stdout).toBe("one\ntwo\n");
  });

  test("--debug names the milestones of a start in runc's words, which its suite looks for", () => {
    const { code, stdout, stderr } = run("echo ran", undefined, { global: ["--debug"] });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "ran\n" });
    const milestones = [
      "nsexec container setup",
      "child process in init()",
      "init: closing the pipe to signal completion",
    ];
    expect(milestones.map((words) => stderr.split(words).length - 1)).toEqual([1, 1, 1]);
    const places = milestones.map((words) => stderr.indexOf(words));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
  });

  test("passes a long stdin and stdout whole", () => {
    const text = "0123456789abcdef".repeat(65536);
    expect(run("cat", undefined, { input: text }).stdout).toBe(text);
  });

  test.each([0, 1, 42, 255])("exits with the container's exit code %i", (code) => {
    expect(run(`echo ran; exit ${code}`)).toEqual({ code, stdout: "ran\n", stderr: "" });
  });

  test.each([
    ["TERM", 143],
    ["KILL", 137],
    ["USR1", 138],
  ])("exits with 128 + n when the process dies of SIG%s", (signal, code) => {
    // The first process of a pid namespace is spared signals from inside it, so a child of it dies of the signal
    // where the namespace is the container's own.
    const own = run(`kill -${signal} $$`, (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    expect(own.code).toBe(code);
  });

  test("leaves nothing of the container", () => {
    const id = newId();
    succeed(["run", "--bundle", makeBundle("true").path, id]);
    expect(refused(["state", id])).toMatch(/not exist/);
  });

  test("with --keep leaves the container's state", () => {
    const id = newId();
    const { code, stderr } = tsrunc(["run", "--keep", "--bundle", makeBundle("true").path, id]);
    // --keep is newer than runc 1.1.
    if (/flag provided but not defined|unknown option/.test(stderr)) return;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(state(id).status).toBe("stopped");
  });

  test("passes signals on to the container", async () => {
    const id = newId();
    const bundle = makeBundle('trap "exit 7" TERM; echo > /ready; while :; do sleep 0.05; done');
    const child = spawnTsrunc(["run", "--bundle", bundle.path, id]);
    await until("the trap is set", () => existsSync(join(bundle.rootfs, "ready")));
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(7);
  });

  test("waits for the init and not for its children", () => {
    expect(run("sleep 1000 > /dev/null 2>&1 & exit 3").code).toBe(3);
  });

  test("with --detach returns while the container runs", () => {
    const id = newId();
    const pidFile = join(directory(), "pid");
    succeed(["run", "--detach", "--pid-file", pidFile, "--bundle", makeBundle("sleep 1000").path, id]);
    expect(state(id)).toMatchObject({ status: "running", pid: Number(readFileSync(pidFile, "utf8")) });
  });
});
