import { spawn } from "node:child_process";
import { syscall } from "../../src/sys/ffi.ts";

/** Why `make build` cannot take a snapshot here; `null` when it can. */
export function whyNotTraced(): string | null {
  if (process.arch !== "x64") return "snapshots are for x86_64";
  if (process.env.SNAPSHOT === "no") return "without a snapshot";
  const PTRACE_SEIZE = 0x4206;
  const child = spawn("sleep", ["10"]);
  const result = syscall("ptrace", PTRACE_SEIZE, child.pid ?? 0, 0, 0);
  child.kill("SIGKILL");
  return result === 0 ? null : `a process may not be traced here (errno ${-result})`;
}
