/** The parent's side of a filter of system calls: it brings the filter, and hands the listener on. */
import { failsUnknownSyscall, rawSeccompFilter } from "../config/annotations.ts";
import { textToKeep } from "../config/exact-json.ts";
import type { Seccomp, Spec, State } from "../config/types.ts";
import { listenerPath, planLoading } from "../plan/seccomp.ts";
import { filterKey, keepFilter, readFilter } from "../seccomp/cache.ts";
import type { CompiledFilter } from "../seccomp/compile.ts";
import { planFilter } from "../seccomp/filter-plan.ts";
import { FilterInTheMaking } from "../seccomp/helper.ts";
import { NATIVE } from "../seccomp/names.ts";
import { hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { readText } from "../sys/file.ts";
import { findLibseccomp } from "../sys/libseccomp.ts";
import { filterBits, takeDescriptor } from "../sys/seccomp.ts";
import { connect, sendMessage } from "../sys/socket.ts";
import { encode } from "../sys/text.ts";
import type { Context } from "./options.ts";

/** Changes with what is made of a profile, so that older filters are built anew. */
const FORMAT = "3";

const FIELD = "/linux/seccomp";

/** A process's filter: at hand, or in the making until somebody wants it. */
export class FilterSource implements Disposable {
  /** @param made what is built, and what becomes of it then */
  constructor(
    readonly atHand: Uint8Array | null,
    private readonly made?: { filter: FilterInTheMaking; finished(filter: CompiledFilter): void },
  ) {}

  /** @throws {Error} when it cannot be had: a container never runs without its filter */
  take(): Uint8Array {
    if (this.atHand !== null) return this.atHand;
    try {
      const compiled = (this.made as NonNullable<typeof this.made>).filter.finish();
      this.made?.finished(compiled);
      return compiled.program;
    } catch (error) {
      throw new Error(`${FIELD}: the filter of system calls cannot be built: ${(error as Error).message}`);
    }
  }

  [Symbol.dispose](): void {
    this.made?.filter[Symbol.dispose]();
  }
}

/**
 * The filter that a configuration asks for, kept from before or begun to be built; `null` where it asks for none.
 * @throws {Error} when it cannot be had
 */
export function seccompFilter({ root, log }: Context, spec: Spec): FilterSource | null {
  const raw = rawSeccompFilter(spec);
  const profile = spec.linux?.seccomp;
  if (raw === undefined && profile === undefined) return null;
  const { flags, listens } = planLoading(profile);
  log.debug(`seccomp filter flags: ${filterBits(flags, listens)}`);
  if (raw !== undefined) return new FilterSource(decodeFilter(raw));
  if (profile === undefined) return null;
  const failUnknown = failsUnknownSyscall(spec);
  const { path, key } = wayToFilter(profile, failUnknown);
  const tell = ({ unknown }: CompiledFilter) => {
    if (unknown.length > 0)
      log.debug(`${FIELD}: passing over system calls that ${path} does not know: ${unknown.join(" ")}`);
  };
  const kept = readFilter(root, key);
  if (kept !== null) {
    tell(kept);
    return new FilterSource(kept.program);
  }
  return new FilterSource(null, {
    filter: new FilterInTheMaking(planFilter(profile, native(), failUnknown), path),
    finished: (compiled) => {
      tell(compiled);
      keepFilter(root, key, compiled);
    },
  });
}

/** Keeps a program as what a configuration's profile has been built to. @throws {Error} where nothing can be built */
export function keepInstead({ root }: Context, spec: Spec, program: Uint8Array): void {
  const profile = spec.linux?.seccomp;
  if (profile === undefined) return;
  keepFilter(root, wayToFilter(profile, failsUnknownSyscall(spec)).key, { program, unknown: [] });
}

/** The library that builds a profile's filter, and the name by which that is kept. @throws {Error} without the library */
function wayToFilter(profile: Seccomp, failUnknown: boolean): { path: string; key: string } {
  const library = findLibseccomp();
  if (library === null) {
    throw new Error(
      `${FIELD}: libseccomp.so.2 is not on this machine, and no filter can be built without it: install libseccomp2`,
    );
  }
  const { path, size, changed } = library;
  const kernel = readText("/proc/sys/kernel/osrelease").trim();
  const key = filterKey([
    ...[FORMAT, native(), textToKeep(profile), String(failUnknown)],
    ...[path, String(size), changed, kernel],
  ]);
  return { path, key };
}

/** The machine's own architecture. */
function native() {
  return NATIVE[process.arch as keyof typeof NATIVE];
}

/** BPF_MAXINSNS of linux/bpf_common.h. */
const MOST_INSTRUCTIONS = 4096;

/** @throws {Error} for what is no base64: what else is in it would be passed over, and another filter come of it */
function decodeFilter(base64: string): Uint8Array {
  const program = Buffer.from(base64, "base64");
  const INSTRUCTION_BYTES = 8;
  const refuse = (why: string) => new Error(`/annotations/run.oci.seccomp_bpf_data: is no filter: ${why}`);
  if (program.toString("base64") !== base64.replaceAll(/\s/g, "")) throw refuse("it is no base64");
  if (program.length === 0) throw refuse("it is empty");
  if (program.length % INSTRUCTION_BYTES !== 0) throw refuse(`${program.length} bytes, and an instruction has 8`);
  const count = program.length / INSTRUCTION_BYTES;
  if (count > MOST_INSTRUCTIONS) throw refuse(`${count} instructions, and the kernel takes ${MOST_INSTRUCTIONS}`);
  return program;
}

/**
 * Takes a process's listener and hands it to who listens: one connection, one message, closed afterwards.
 * @param state of the container
 * @throws {Error} when nobody can be reached
 * @see runtime-spec, config-linux.md, "The Container Process State"
 */
export function handListenerOn(spec: Spec, state: State, process: { pid: number; pidfd: Fd; listener: number }): void {
  const path = listenerPath(spec) ?? "";
  using listener = takeDescriptor(process.pidfd, process.listener);
  const message = {
    ociVersion: state.ociVersion,
    fds: ["seccompFd"],
    pid: process.pid,
    ...(spec.linux?.seccomp?.listenerMetadata && { metadata: spec.linux.seccomp.listenerMetadata }),
    state,
  };
  const toAgent = <T>(what: string, act: () => T): T => {
    try {
      return act();
    } catch (error) {
      const hint = hasErrno(error, "EPROTOTYPE") ? " (it is not a stream socket)" : "";
      throw new Error(`${FIELD}/listenerPath: failed to ${what} seccomp agent: ${(error as Error).message}${hint}`);
    }
  };
  using socket = toAgent("connect with", () => connect(path));
  toAgent(`send the descriptor to ${path}, the`, () =>
    sendMessage(socket.number, encode(JSON.stringify(message)), [listener.number]),
  );
}
