/**
 * The calls that CRI-O makes of a runtime, in their very forms: itself, and through conmon.
 * @see CRI-O, internal/oci/runtime_oci.go and pkg/config/config.go
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  directory,
  hasProgram,
  makeBundle,
  newId,
  type Result,
  runtime,
  state,
  stateRoot,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";
import { cgroupFile, drivers, version } from "./machine/machine.ts";

useContainers();

const whyNoConmon = hasProgram("conmon") ? null : "needs conmon";

/**
 * Runs conmon with CRI-O's environment; what it reports goes to a file in place of a pipe.
 * @param code that it ends with: with --sync, that of the process
 * @returns that file
 */
function conmon(args: readonly string[], code = 0): string {
  const report = join(directory(), `report-${Math.random()}`);
  // The start pipe is at its end at once, as when CRI-O has moved conmon to its cgroup.
  const script = 'report=$1; shift; exec "$@" >/dev/null 2>"$report.err" 3>"$report" 4</dev/null';
  const env = { PATH: process.env.PATH ?? "", CRI_O_EXTERNAL: "1", _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" };
  const done = spawnSync("sh", ["-c", script, "sh", report, "conmon", ...args], { env, timeout: 50_000 });
  const errors = readFileSync(`${report}.err`, "utf8");
  expect({ status: done.status, errors }).toEqual({ status: code, errors: "" });
  return report;
}

describe.each(drivers)("by the driver %s (%s)", (driver, whyNot) => {
  const here = describe.skipIf(whyNot !== null || whyNoConmon !== null);
  const systemd = driver === "systemd";
  const global = systemd ? ["--systemd-cgroup"] : [];

  /** As `runtimeCmd` calls it: the environment is not inherited. */
  const call = (...args: string[]): Result => tsrunc(args, { global });
  const good = (...args: string[]): string => succeed(args, { global });

  interface Made {
    id: string;
    bundle: string;
    exits: string;
  }

  /** As `CreateContainer` does. */
  function create(script: string): Made {
    const id = newId();
    const { path } = makeBundle(script, ({ linux, process }) => {
      linux.cgroupsPath = systemd ? `system.slice:crio:${id}` : `/crio-${id}`;
      linux.resources = { ...linux.resources, memory: { limit: 64 << 20 } };
      process.noNewPrivileges = true;
    });
    const exits = join(directory(), "exits");
    for (const one of [exits, join(directory(), "sockets"), join(path, "persist")]) mkdirSync(one, { recursive: true });
    conmon([
      ...["-b", path, "-c", id, "--exit-dir", exits, "-l", join(path, "log"), "--log-level", "info", "-n", `k8s_${id}`],
      ...["-P", join(path, "conmon-pidfile"), "-p", join(path, "pidfile"), "--persist-dir", join(path, "persist")],
      ...["-r", runtime, "--runtime-arg", `--root=${stateRoot()}`, "--socket-dir-path", join(directory(), "sockets")],
      ...["--syslog", "-u", id, ...(systemd ? ["-s"] : [])],
    ]);
    return { id, bundle: path, exits: join(exits, id) };
  }

  /** What conmon reports last: a pid, or an exit code. */
  function reported(report: string): number | null {
    const line = readFileSync(report, "utf8").trim().split("\n").at(-1) ?? "";
    if (line === "") return null;
    const { pid, data, exit_code } = JSON.parse(line) as Record<string, number>;
    return pid ?? data ?? exit_code ?? null;
  }

  async function started(script: string): Promise<Made> {
    const made = create(script);
    await until("conmon's pid file", () => existsSync(join(made.bundle, "pidfile")));
    expect(state(made.id).status).toBe("created");
    good("start", made.id);
    return made;
  }

  function processFile(args: string[]): string {
    const path = join(directory(), `process-${Math.random()}.json`);
    const process = { terminal: false, user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" };
    writeFileSync(path, JSON.stringify(process));
    return path;
  }

  here(`a container (${whyNot ?? whyNoConmon ?? "conmon"})`, () => {
    test("is created, started, looked at, stopped and deleted", async () => {
      const { id, bundle, exits } = await started("trap 'exit 7' TERM; echo hello; while :; do sleep 0.1; done");
      const looked = JSON.parse(good("state", id)) as Record<string, unknown>;
      const pid = Number(readFileSync(join(bundle, "pidfile"), "utf8"));
      expect(looked).toMatchObject({ id, status: "running", pid, bundle });
      expect(Number.isNaN(Date.parse(String(looked["created"])))).toBe(false);
      await until("its output", () => readFileSync(join(bundle, "log"), "utf8").includes("stdout F hello"));
      // By the name of the image's stop signal, or by SIGTERM's.
      good("kill", id, "SIGTERM");
      await until("its exit file", () => existsSync(exits) && readFileSync(exits, "utf8") !== "");
      expect(readFileSync(exits, "utf8")).toBe("7");
      expect(JSON.parse(good("state", id))).toMatchObject({ status: "stopped" });
      // CRI-O tells by this text that there is nothing to kill any more.
      expect(call("kill", id, "KILL")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("container not running"),
      });
      good("delete", "--force", id);
      good("delete", "--force", id);
      expect(call("state", id)).toMatchObject({ code: 1, stderr: expect.stringContaining("does not exist") });
    });

    test("is killed by number, one process or all", async () => {
      const { id, exits } = await started("sleep 1000 & wait");
      good("kill", id, "0");
      good("kill", "-a", id, "9");
      await until("its exit file", () => existsSync(exits) && readFileSync(exits, "utf8") !== "");
      expect(readFileSync(exits, "utf8")).toBe("137");
      good("delete", "--force", id);
    });

    test("gets processes from a file: attached, and through conmon with their exit code", async () => {
      const { id } = await started("sleep 1000");
      const attached = call("exec", "--process", processFile(["sh", "-c", "echo out; echo err >&2; exit 5"]), id);
      expect(attached).toEqual({ code: 5, stdout: "out\n", stderr: "err\n" });
      const [pidFile, log] = [join(directory(), "exec-pid"), join(directory(), "exec-log")];
      const given = ["-c", id, "-n", `k8s_${id}`, "-r", runtime, "-p", pidFile, "-e", "-l", log, "--sync"];
      const sockets = ["--socket-dir-path", join(directory(), "sockets"), "--log-level", "info"];
      const spec = ["--exec-process-spec", processFile(["sh", "-c", "echo synced; exit 6"])];
      const runtimeArgs = [...(systemd ? ["-s"] : []), ...spec, "--runtime-arg", `--root=${stateRoot()}`];
      const report = conmon([...given, ...sockets, ...runtimeArgs], 6);
      await until("its exit code", () => reported(report) === 6);
      expect(readFileSync(log, "utf8")).toContain("stdout F synced");
      expect(Number(readFileSync(pidFile, "utf8"))).toBeGreaterThan(1);
    });

    test("is updated without a word on the driver, paused and resumed", async () => {
      const { id } = await started("sleep 1000");
      const resources = {
        memory: { limit: 96 << 20 },
        cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "", mems: "" },
      };
      // CRI-O leaves --systemd-cgroup out here.
      succeed(["update", "--resources", "-", id], { input: JSON.stringify(resources) });
      const { pid } = state(id);
      const file = version === 1 ? "memory.limit_in_bytes" : "memory.max";
      expect(cgroupFile(pid, file)).toBe(String(96 << 20));
      good("pause", id);
      expect(JSON.parse(good("state", id))).toMatchObject({ status: "paused" });
      good("resume", id);
      expect(JSON.parse(good("state", id))).toMatchObject({ status: "running" });
    });
  });
});

test("what CRI-O asks at its start, without a --root: the version, and the features", () => {
  const ask = (...args: string[]) => spawnSync(runtime, args, { encoding: "utf8" });
  expect(ask("--version")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^tsrunc version \d/) });
  // Both streams are read as one document.
  const { status, stdout, stderr } = ask("features");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const features = JSON.parse(stdout) as { mountOptions: string[] };
  expect(features).toMatchObject({
    ociVersionMin: expect.stringMatching(/^1\.0/),
    ociVersionMax: expect.stringMatching(/^1\./),
    linux: { mountExtensions: { idmap: { enabled: true } } },
  });
  expect(features.mountOptions).toContain("rro");
  // Whether there are checkpoints, and whether those of a pod's containers can be restored.
  expect(ask("checkpoint", "--help").status).toBe(0);
  expect(ask("restore", "--lsm-mount-context").stderr).toContain("flag needs an argument");
});
