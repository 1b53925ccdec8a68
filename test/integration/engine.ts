/** Daemons of engines that use the runtime under test, in a directory of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandTimeout, ended, pause } from "./harness.ts";

export interface EngineResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** An engine's daemon and all that it keeps. */
export class Engine {
  readonly home: string;
  #daemon: ChildProcess | null = null;

  /** @param name short: the path of a socket has 108 bytes */
  constructor(name: string) {
    this.home = mkdtempSync(join(tmpdir(), `tsrunc-${name}-`));
  }

  /**
   * Starts the daemon.
   * @param answers a command that succeeds once the daemon answers
   * @returns why it does not run, or `null`
   */
  async start(command: readonly string[], answers: readonly string[]): Promise<string | null> {
    const log = join(this.home, "daemon.log");
    const output = openSync(log, "w");
    const [program, ...args] = command as [string, ...string[]];
    this.#daemon = spawn(program, args, { stdio: ["ignore", output, output] });
    closeSync(output);
    for (let attempt = 0; attempt < 100 && this.#daemon.exitCode === null; attempt++) {
      if (this.run(answers).code === 0) return null;
      await pause(200);
    }
    return `${program} does not run here: ${readFileSync(log, "utf8").trim().split("\n").pop()}`;
  }

  /** Runs a command to its end; its output goes to files, since what it starts may keep it open for longer. */
  run(command: readonly string[], env: Record<string, string> = {}): EngineResult {
    const [stdout, stderr] = [join(this.home, "stdout"), join(this.home, "stderr")];
    const streams = [openSync(stdout, "w"), openSync(stderr, "w")];
    const [program, ...args] = command as [string, ...string[]];
    const options = { env: { ...process.env, ...env }, stdio: ["ignore", ...streams] as ["ignore", number, number] };
    const { status } = spawnSync(program, args, { ...options, timeout: commandTimeout });
    streams.forEach(closeSync);
    const read = (file: string): string => readFileSync(file, "utf8").replaceAll("\r", "");
    return { code: status, stdout: read(stdout), stderr: read(stderr) };
  }

  /** Ends the daemon, and removes its mounts and files. */
  async stop(): Promise<void> {
    if (this.#daemon !== null) {
      this.#daemon.kill("SIGTERM");
      await ended(this.#daemon);
    }
    for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n").reverse()) {
      const point = line.split(" ")[4] ?? "";
      if (point.startsWith(`${this.home}/`)) spawnSync("umount", ["--lazy", point]);
    }
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Removes an engine's own cgroup, which it leaves, in all hierarchies; not where other containers are in it. */
  removeCgroup(name: string): void {
    for (const hierarchy of readdirSync("/sys/fs/cgroup")) {
      try {
        rmdirSync(join("/sys/fs/cgroup", hierarchy, name));
      } catch {
        // Not there, or not only ours.
      }
    }
  }
}
