/** A machine for engines: the host's programs and kernel, with a network, mounts, processes and files of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, chmodSync, closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What a script came to. */
export interface Outcome {
  /** The exit code, or `null` when the script was ended because it took too long. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Who runs a script. */
export interface Caller {
  uid: number;
  home: string;
}

const NAMESPACES = ["--net", "--mount", "--pid"];

export class Machine {
  /** Where the machine keeps what engines write. */
  readonly home: string;
  readonly #holder: ChildProcess;
  #init = 0;
  #scripts = 0;

  private constructor(home: string, holder: ChildProcess) {
    this.home = home;
    this.#holder = holder;
  }

  /**
   * @param home a directory that is made, and removed with the machine
   * @param runtime what is `/usr/local/bin/tsrunc` there
   * @throws {Error} when the namespaces or mounts cannot be made
   */
  static async start(home: string, runtime: string): Promise<Machine> {
    mkdirSync(home, { recursive: true });
    chmodSync(home, 0o755);
    const script = join(import.meta.dirname, "machine.sh");
    const path = resolve(runtime);
    // tsrunc needs what lies beside it.
    const library = path.endsWith("/dist/tsrunc") ? dirname(path) : "";
    const unshare = [...NAMESPACES, "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
    const holder = spawn("unshare", [...unshare, "bash", script, home, path, library], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    holder.stderr.on("data", (text) => {
      output += text;
    });
    const ready = await new Promise<boolean>((done) => {
      holder.stdout.on("data", (text) => String(text).includes("ready") && done(true));
      holder.once("exit", () => done(false));
    });
    if (!ready) throw new Error(`cannot make a machine for engines: ${output.trim()}`);
    const machine = new Machine(home, holder);
    machine.#init = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8").trim());
    return machine;
  }

  /** A path of this machine as the host sees it. */
  path(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /**
   * Runs a script by bash, in `/srv`.
   * @param limit seconds
   */
  async run(script: string, { caller, limit = 120 }: { caller?: Caller; limit?: number } = {}): Promise<Outcome> {
    // Files, not pipes: what an engine starts may keep them open.
    const output = join(this.home, `output-${++this.#scripts}`);
    const streams = [openSync(`${output}.out`, "w"), openSync(`${output}.err`, "w")] as const;
    const child = this.#spawn(script, streams, caller);
    const code = await new Promise<number | null>((done) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), limit * 1000);
      child.once("exit", (status) => {
        clearTimeout(timer);
        done(status);
      });
    });
    for (const stream of streams) closeSync(stream);
    const read = (name: string): string => readFileSync(name, "utf8").replaceAll("\r", "");
    const outcome = { code, stdout: read(`${output}.out`), stderr: read(`${output}.err`) };
    for (const name of ["out", "err"]) rmSync(`${output}.${name}`);
    return outcome;
  }

  /** Starts a daemon; what it says goes to `/srv/NAME.log`. */
  daemon(name: string, script: string): ChildProcess {
    const log = openSync(join(this.home, "files", `${name}.log`), "a");
    try {
      return this.#spawn(`exec ${script}`, [log, log]);
    } finally {
      closeSync(log);
    }
  }

  #spawn(script: string, [stdout, stderr]: readonly [number, number], caller?: Caller): ChildProcess {
    const enter = ["--target", String(this.#init), ...NAMESPACES];
    const user =
      caller === undefined
        ? []
        : ["setpriv", `--reuid=${caller.uid}`, `--regid=${caller.uid}`, "--clear-groups", "--inh-caps=-all"];
    const environment = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: caller?.home ?? "/root",
      LANG: "C.UTF-8",
      ...(caller === undefined ? {} : { XDG_RUNTIME_DIR: `/run/user/${caller.uid}`, USER: "engines" }),
    };
    return spawn("nsenter", [...enter, ...user, "bash", "-c", `cd /srv\n${script}`], {
      env: environment,
      stdio: ["ignore", stdout, stderr],
    });
  }

  /** Adds to a file of the machine's. */
  append(inside: string, text: string): void {
    const path = this.path(inside);
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, text);
  }

  /** Ends all that runs on it; its mounts and network go with it. */
  async stop(): Promise<void> {
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      const gone = new Promise((done) => this.#holder.once("exit", done));
      process.kill(this.#init, "SIGKILL");
      await gone;
    }
    rmSync(this.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
