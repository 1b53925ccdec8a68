/**
 * The environment that the caller gave this program, and the forgetting of it: it may hold secrets, and an init that waits for
 * `start` would keep it in memory and in `/proc/<pid>/environ`, where processes of the container look.
 */
import { syscall } from "./ffi.ts";
import { readText } from "./file.ts";
import { decode } from "./text.ts";

/** Where the kernel put something in this process's memory. */
export interface MemoryRange {
  start: bigint;
  end: bigint;
}

let kept: Uint8Array | null = null;

/**
 * Variables by name. Their values stay in the given memory, and are read from there each time, so that there is one copy to forget.
 * @param bytes `NAME=value` texts, each with a NUL at its end
 */
export function environmentIn(bytes: Uint8Array): Record<string, string> {
  kept = bytes;
  const environment: Record<string, string> = Object.create(null);
  const [NUL, EQUALS] = [0, 0x3d];
  for (let at = 0; at < bytes.length; ) {
    const found = bytes.indexOf(NUL, at);
    const end = found < 0 ? bytes.length : found;
    const equals = bytes.indexOf(EQUALS, at);
    if (equals > at && equals < end) {
      const name = decode(bytes.subarray(at, equals));
      const value = bytes.subarray(equals + 1, end);
      // As getenv(3) finds the first of two.
      if (!(name in environment)) {
        Object.defineProperty(environment, name, { get: () => decode(value), enumerable: true, configurable: true });
      }
    }
    at = end + 1;
  }
  return environment;
}

/** Where this process's environment is on its stack. @see proc_pid_stat(5), env_start and env_end, Linux 3.5 */
export function environmentRange(): MemoryRange {
  const stat = readText("/proc/self/stat");
  // From the third field on, what comes before may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [FIRST, ENV_START, ENV_END] = [3, 50, 51];
  return { start: BigInt(fields[ENV_START - FIRST] ?? 0), end: BigInt(fields[ENV_END - FIRST] ?? 0) };
}

/**
 * Overwrites the environment. An engine that is no snapshot has copies that it cannot reach.
 * @param range {@link environmentRange}, asked for where `/proc` is certain to be the host's
 */
export function forgetEnvironment({ start, end }: MemoryRange): void {
  kept?.fill(0);
  const length = Number(end - start);
  if (length > 0) syscall("memcpy", start, new Uint8Array(length), length);
}
