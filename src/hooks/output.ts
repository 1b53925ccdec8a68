/** The files that take the output of hooks, where the annotations name some. */
import { hookFiles } from "../config/annotations.ts";
import type { Spec } from "../config/types.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { setNonBlocking } from "../sys/io.ts";
import type { HookOutput } from "./run.ts";

/** {@link HookOutput}, closed at the end of its block. */
export interface OpenHookOutput extends HookOutput, Disposable {}

/**
 * Opens the files for appending, making them where they are missing.
 * @returns `null` when the annotations name none, or there are no hooks
 * @throws {SyscallError} `open <file>`; ENXIO for a FIFO that nobody reads
 */
export function openHookOutput(spec: Spec, bundle: string): OpenHookOutput | null {
  const { stdout, stderr } = hookFiles(spec, bundle);
  if (spec.hooks === undefined || (stdout === undefined && stderr === undefined)) return null;
  const out = append(stdout);
  const err = append(stderr);
  return {
    stdout: out,
    stderr: err,
    [Symbol.dispose]() {
      out?.close();
      err?.close();
    },
  };
}

function append(path: string | undefined): Fd | null {
  if (path === undefined) return null;
  // A FIFO that nobody reads would hold us; a hook that writes to one that is read may wait for the reader.
  const file = open(path, O.WRONLY | O.CREAT | O.APPEND | O.NONBLOCK, 0o600);
  setNonBlocking(file.number, false);
  return file;
}
