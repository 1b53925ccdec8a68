import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import type { State } from "../../src/config/types.ts";
import { runHook, runHooks } from "../../src/hooks/run.ts";
import { processStat } from "../../src/sys/process.ts";

const state: State = { ociVersion: "1.3.0", id: "c1", status: "creating", pid: 7, bundle: "/b" };
const shell = (script: string) => ({ path: "/bin/sh", args: ["sh", "-c", script] });

describe("runHook", () => {
  it("succeeds with the hook's exit code 0", () => {
    expect(runHook({ path: "/bin/true" }, state)).toBeNull();
  });

  it("gives the hook the state on its stdin", () => {
    expect(runHook(shell("grep -q '\"pid\":7'"), state)).toBeNull();
    expect(runHook(shell("grep -q '\"pid\":8'"), state)).toContain("exit status 1");
  });

  it("gives the hook its own environment and nothing of ours", () => {
    process.env["TSRUNC_TEST_LEAK"] = "1";
    expect(runHook({ ...shell('[ "$A" = b ] && [ -z "$TSRUNC_TEST_LEAK" ]'), env: ["A=b"] }, state)).toBeNull();
    delete process.env["TSRUNC_TEST_LEAK"];
  });

  it("gives a hook that says nothing of its environment the caller's", () => {
    process.env["TSRUNC_TEST_LEAK"] = "1";
    expect(runHook(shell('[ "$TSRUNC_TEST_LEAK" = 1 ]'), state)).toBeNull();
    expect(runHook({ ...shell('[ -z "$TSRUNC_TEST_LEAK" ]'), env: [] }, state)).toBeNull();
    delete process.env["TSRUNC_TEST_LEAK"];
  });

  it("runs the hook in the directory asked for", () => {
    expect(runHook(shell('[ "$(pwd)" = /usr ]'), state, { cwd: "/usr" })).toBeNull();
  });

  it("shows what a failing hook printed", () => {
    const failure = runHook(shell("echo out; echo err >&2; exit 3"), state);
    expect(failure).toBe("exit status 3, stdout: out, stderr: err");
  });

  it("tells a signal from an exit code", () => {
    expect(runHook(shell("kill -9 $$"), state)).toMatch(/^signal: SIGKILL/);
  });

  it("does not mind a hook that reads nothing of a long state", () => {
    const long = { ...state, annotations: { a: "x".repeat(300_000) } };
    expect(runHook({ path: "/bin/true" }, long)).toBeNull();
  });

  it("does not wait for those that a hook leaves behind with its output", () => {
    expect(runHook(shell("sleep 30 &"), state)).toBeNull();
  });

  it("kills a hook that takes longer than its timeout", () => {
    expect(runHook({ ...shell("exec sleep 30"), timeout: 1 }, state)).toBe("hook ran past specified timeout of 1.0s");
  });

  it("kills what such a hook has started, too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-hooks-"));
    try {
      const hook = shell(`sleep 1000 & echo $! > ${directory}/pid; wait`);
      expect(runHook({ ...hook, timeout: 1 }, state)).toContain("ran past specified timeout");
      const pid = Number(readFileSync(join(directory, "pid"), "utf8"));
      await vi.waitFor(() => expect(processStat(pid)?.state ?? "gone").toMatch(/^(gone|Z)$/));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("says that a hook is not there", () => {
    expect(runHook({ path: "/no/such/hook" }, state)).toContain("ENOENT");
  });
});

describe("runHooks", () => {
  it("stops at the first that fails, and names it", () => {
    const hooks = [{ path: "/bin/true" }, { path: "/bin/false" }, shell("touch /no/such/dir/x")];
    expect(() => runHooks("prestart", hooks, state)).toThrow(
      "error running prestart hook #1: /bin/false: exit status 1",
    );
  });

  it("does nothing without hooks", () => {
    expect(() => runHooks("poststart", undefined, state)).not.toThrow();
  });
});
