/** What the operations of `runtime/` take: the contract between the command line and the runtime. */
import type { Process } from "../config/types.ts";

/** Writes log records: to `--log`, in `--log-format`, and to stderr where there is no log file. */
export interface Logger {
  /** Whether debug records are written at all. */
  readonly tracing: boolean;
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  /** Writes the warnings that were held back: what follows does not fail any more. */
  release(): void;
}

/** The global options, resolved. */
export interface Context {
  /** Directory of the containers' states (`--root`), absolute. */
  root: string;
  cgroupManager: "cgroupfs" | "systemd" | "disabled";
  /** `--rootless`: `null` means decide by the effective uid and user namespace. */
  rootless: boolean | null;
  log: Logger;
}

/** How a process is connected to the caller. */
export interface ProcessOptions {
  detach: boolean;
  /** UNIX socket that receives the terminal's master. */
  consoleSocket?: string;
  /** UNIX socket that receives a pidfd of the process (`--pidfd-socket`). */
  pidfdSocket?: string;
  pidFile?: string;
  /** How many descriptors from 3 on the process inherits, besides those of `LISTEN_FDS`. */
  preserveFds: number;
}

export interface CreateOptions extends Omit<ProcessOptions, "detach"> {
  id: string;
  bundle: string;
  /** Path of the configuration when it is not `config.json` in the bundle (crun's `--config`). */
  config?: string;
  noPivot: boolean;
  noNewKeyring: boolean;
}

export interface RunOptions extends CreateOptions {
  detach: boolean;
  /** Keep the container's state and cgroup when the process has ended. */
  keep: boolean;
  /** Do not make this process a subreaper. */
  noSubreaper: boolean;
}

export interface ExecOptions extends ProcessOptions {
  id: string;
  /** The process as given: a `process.json`, or the flags over the container's own `process`. */
  process: ExecProcess;
  ignorePaused: boolean;
  /** `--cgroup` values: `path`, or `controller[,controller]:path` on v1. */
  cgroups: string[];
}

export type ExecProcess =
  /** `load` is what reads it, loaded itself where there is a file only. */
  | { kind: "file"; path: string; load: (path: string) => Process }
  | {
      kind: "flags";
      args: string[];
      tty: boolean;
      cwd?: string;
      /** `uid[:gid]`, as typed. */
      user?: string;
      additionalGids: number[];
      env: string[];
      capabilities: string[];
      noNewPrivileges?: boolean;
      processLabel?: string;
      apparmor?: string;
    };
