/**
 * The calls that CRI-O makes of a runtime, in their very forms: itself, and through conmon.
 * @see CRI-O, internal/oci/runtime_oci.go and pkg/config/config.go
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findCriu } from "../support/criu.ts";
import {
  commandLine,
  commandTimeout,
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

const criu = findCriu();
const PATH = criu.kind === "works" ? criu.path : (process.env.PATH ?? "");

const whyNoConmon = hasProgram("conmon") ? null : "needs conmon";

/**
 * Runs conmon with CRI-O's environment; what it reports goes to a file in place of a pipe.
 * @param code that it ends with: with --sync, that of the process; `null` for any
 * @returns that file
 */
function conmon(args: readonly string[], code: number | null = 0): string {
  const report = join(directory(), `report-${Math.random()}`);
  // The start pipe is at its end at once, as when CRI-O has moved conmon to its cgroup.
  const script = 'report=$1; shift; exec "$@" >/dev/null 2>"$report.err" 3>"$report" 4</dev/null';
  const env = { PATH, CRI_O_EXTERNAL: "1", _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" };
  const done = spawnSync("sh", ["-c", script, "sh", report, "conmon", ...args], { env, timeout: commandTimeout });
  const errors = readFileSync(`${report}.err`, "utf8");
  expect({ status: code === null ? null : done.status, errors }).toEqual({ status: code, errors: "" });
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

  /** As `CreateContainer` does. @param streams what it adds for them, or for a restore */
  function create(script: string, streams: readonly string[] = []): Made {
    const id = newId();
    const { path } = makeBundle(script, ({ linux, process }) => {
      process.terminal = streams.includes("-t");
      linux.cgroupsPath = systemd ? `system.slice:crio:${id}` : `/crio-${id}`;
      linux.resources = { ...linux.resources, memory: { limit: 64 << 20 } };
      process.noNewPrivileges = true;
    });
    const exits = join(directory(), "exits");
    for (const one of [exits, join(directory(), "sockets"), join(path, "persist")]) mkdirSync(one, { recursive: true });
    monitor({ id, bundle: path, exits: join(exits, id) }, streams);
    return { id, bundle: path, exits: join(exits, id) };
  }

  function monitor({ id, bundle: path }: Made, more: readonly string[]): void {
    conmon([
      ...[
        "-b",
        path,
        "-c",
        id,
        "--exit-dir",
        join(directory(), "exits"),
        "-l",
        join(path, "log"),
        "--log-level",
        "info",
        "-n",
        `k8s_${id}`,
      ],
      ...["-P", join(path, "conmon-pidfile"), "-p", join(path, "pidfile"), "--persist-dir", join(path, "persist")],
      ...["-r", runtime, "--runtime-arg", `--root=${stateRoot()}`, "--socket-dir-path", join(directory(), "sockets")],
      ...["--syslog", "-u", id, ...(systemd ? ["-s"] : []), ...more],
    ]);
  }

  /** What conmon reports last: a pid, or an exit code. */
  function reported(report: string): number | null {
    const line = readFileSync(report, "utf8").trim().split("\n").at(-1) ?? "";
    if (line === "") return null;
    const { pid, data, exit_code } = JSON.parse(line) as Record<string, number>;
    return pid ?? data ?? exit_code ?? null;
  }

  async function started(script: string, streams: readonly string[] = []): Promise<Made> {
    const made = create(script, streams);
    await until("conmon's pid file", () => existsSync(join(made.bundle, "pidfile")));
    expect(state(made.id).status).toBe("created");
    good("start", made.id);
    return made;
  }

  function processFile(args: string[], terminal = false): string {
    const path = join(directory(), `process-${Math.random()}.json`);
    const process = { terminal, user: { uid: 0, gid: 0 }, args, env: ["PATH=/bin"], cwd: "/" };
    writeFileSync(path, JSON.stringify(process));
    return path;
  }

  /** As `ExecSyncContainer` calls conmon. */
  function execArgs({ id, log, more }: { id: string; log: string; more: readonly string[] }): string[] {
    const given = ["-c", id, "-n", `k8s_${id}`, "-r", runtime, "-e", "-l", log, "--sync"];
    const sockets = ["--socket-dir-path", join(directory(), "sockets"), "--log-level", "info"];
    const pidFile = more.includes("-p") ? [] : ["-p", join(directory(), `pid-${Math.random()}`)];
    return [
      ...given,
      ...pidFile,
      ...sockets,
      ...(systemd ? ["-s"] : []),
      ...more,
      "--runtime-arg",
      `--root=${stateRoot()}`,
    ];
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
      const spec = ["--exec-process-spec", processFile(["sh", "-c", "echo synced; exit 6"])];
      const report = conmon(execArgs({ id, log, more: ["-p", pidFile, ...spec] }), 6);
      await until("its exit code", () => reported(report) === 6);
      expect(readFileSync(log, "utf8")).toContain("stdout F synced");
      expect(Number(readFileSync(pidFile, "utf8"))).toBeGreaterThan(1);
    });

    test.each([
      { what: "a terminal", streams: ["-t"], seen: "terminal" },
      { what: "an input that stays open", streams: ["--leave-stdin-open", "-i"], seen: "pipe" },
      { what: "no pivot_root", streams: ["--no-pivot"], seen: "other" },
    ])("has $what", async ({ streams, seen }) => {
      const look =
        "if [ -t 0 ] && [ -t 1 ]; then echo terminal; elif [ -p /proc/self/fd/0 ]; then echo pipe; else echo other; fi";
      const { id, bundle, exits } = await started(`${look}; exit 3`, streams);
      await until("its exit file", () => existsSync(exits) && readFileSync(exits, "utf8") !== "");
      expect(readFileSync(exits, "utf8")).toBe("3");
      expect(readFileSync(join(bundle, "log"), "utf8")).toMatch(new RegExp(`stdout F ${seen}\\r?$`, "m"));
      good("delete", "--force", id);
    });

    test("gets processes on a terminal: CRI-O's own, and conmon's", async () => {
      const { id } = await started("sleep 1000");
      const script = "[ -t 0 ] && [ -t 2 ] && echo on a terminal";
      const [program = "", ...rest] = commandLine([
        ...global,
        "exec",
        "--process",
        processFile(["sh", "-c", script], true),
        id,
      ]);
      const pty = ["test/support/with-pty.py", "24", "80", "", program, ...rest];
      expect(spawnSync("python3", pty, { encoding: "utf8" }).stdout).toContain("on a terminal");
      const log = join(directory(), "terminal-log");
      const spec = ["--exec-process-spec", processFile(["sh", "-c", `${script}; exit 9`], true)];
      const report = conmon(execArgs({ id, log, more: ["-t", ...spec] }), 9);
      await until("its exit code", () => reported(report) === 9);
      expect(readFileSync(log, "utf8")).toContain("on a terminal");
    });

    test("a process that takes too long is ended by conmon, and the container goes on", async () => {
      const { id } = await started("sleep 1000");
      const spec = ["--exec-process-spec", processFile(["sleep", "999"])];
      const report = conmon(execArgs({ id, log: join(directory(), "late-log"), more: ["-T", "1", ...spec] }), null);
      await until("its end", () => readFileSync(report, "utf8").includes("timed out"));
      expect(good("exec", id, "ps")).not.toContain("sleep 999");
      expect(JSON.parse(good("state", id))).toMatchObject({ status: "running" });
    });

    test.skipIf(criu.kind === "none")("is checkpointed, and restored by conmon", async () => {
      const made = await started("i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.1; done");
      const { id, bundle } = made;
      const count = () => Number(readFileSync(join(bundle, "rootfs/count"), "utf8"));
      await until("it to count", () => existsSync(join(bundle, "rootfs/count")) && count() > 0);
      const images = join(bundle, "checkpoint");
      const args = ["checkpoint", "--file-locks", "--image-path", images, "--work-path", bundle, id];
      succeed(args, { global, env: { PATH } });
      const before = count();
      await until("conmon to see its end", () => existsSync(made.exits));
      rmSync(made.exits);
      call("delete", "--force", id);
      monitor(made, ["--restore", images]);
      await until("it to count on", () => count() > before);
      expect(state(id).status).toBe("running");
      good("kill", id, "KILL");
      await until("its exit file", () => existsSync(made.exits) && readFileSync(made.exits, "utf8") !== "");
      expect(readFileSync(made.exits, "utf8")).toBe("137");
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
