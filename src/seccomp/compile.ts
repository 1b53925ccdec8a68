/** Has libseccomp build a filter. In a process whose libc is the host's: see `sys/libseccomp.ts`. */

import { hasErrno } from "../sys/error.ts";
import { SeccompFilter } from "../sys/libseccomp.ts";
import { memoryFile, readMemory } from "../sys/memory-file.ts";
import { answerNewCalls, INSTRUCTION_BYTES, type NewestCall } from "./enosys.ts";
import type { FilterPlan } from "./filter-plan.ts";
import { ARCHITECTURES } from "./names.ts";

/** A filter as the kernel takes it. */
export interface CompiledFilter {
  /** Instructions of 8 bytes. @see linux/filter.h, `struct sock_filter` */
  program: Uint8Array;
  /** Names in the profile that this libseccomp does not know. */
  unknown: string[];
}

/** The kernel takes no more instructions (`BPF_MAXINSNS`). */
const MOST_INSTRUCTIONS = 4096;

/**
 * From so many calls on, a tree is cheaper than going through them. A tree without a rule kills everything in some libseccomp (libseccomp#370),
 * so calls that get no rule do not count.
 */
const CALLS_WORTH_A_TREE = 32;

/**
 * Builds a filter.
 * @param library path of libseccomp
 * @throws {SyscallError} what libseccomp says
 * @throws {Error} for an unknown name, where the plan asks for that; for a filter that is too long
 */
export function compileFilter(plan: FilterPlan, library: string): CompiledFilter {
  using filter = new SeccompFilter(library, plan.defaultAction);
  const numbers = new Map(plan.names.map((name) => [name, filter.resolve(name)]));
  const unknown = plan.names.filter((name) => numbers.get(name) === null);
  if (plan.failUnknown && unknown.length > 0) throw new Error(`unknown system calls: ${unknown.join(", ")}`);
  for (const token of plan.architectures) addArchitecture(filter, token);
  if (callsWithRules(plan, numbers) >= CALLS_WORTH_A_TREE) filter.useBinaryTree();
  for (const { entry, names, action, conditions } of plan.rules) {
    const comparisons = conditions.map(({ index, operator, value, valueTwo }) => ({
      index,
      operator,
      value: BigInt(value),
      valueTwo: BigInt(valueTwo),
    }));
    for (const name of names) {
      const call = numbers.get(name);
      if (call === null || call === undefined) continue;
      try {
        filter.addRule(action, call, comparisons);
      } catch (error) {
        // Left out, it might have denied more than the one that is there.
        if (!hasErrno(error, "EEXIST")) throw error;
        throw new Error(`syscalls/${entry} contradicts what another entry says of ${name} under such conditions`);
      }
    }
  }
  using file = memoryFile("filter");
  filter.exportTo(file);
  const built = readMemory(file);
  const program = plan.newCallsAreMissing ? answerNewCalls(built, newestCalls(filter, plan)) : built;
  const length = program.byteLength / INSTRUCTION_BYTES;
  if (length > MOST_INSTRUCTIONS) {
    throw new Error(
      `the filter has ${length} instructions, and the kernel takes ${MOST_INSTRUCTIONS}: the profile is too long`,
    );
  }
  return { program, unknown };
}

function callsWithRules({ rules }: FilterPlan, numbers: ReadonlyMap<string, number | null>): number {
  // Below 0 are calls that the machine does not have: other architectures of the profile may.
  const ruled = rules.flatMap(({ names }) => names).filter((name) => (numbers.get(name) ?? -1) >= 0);
  return new Set(ruled).size;
}

/** @throws {Error} for one that this libseccomp does not know, or of the other byte order */
function addArchitecture(filter: SeccompFilter, token: number): void {
  try {
    filter.addArchitecture(token);
  } catch (error) {
    const name = Object.entries(ARCHITECTURES).find(([, known]) => known === token)?.[0];
    if (hasErrno(error, "EDOM")) throw new Error(`architecture ${name} has another byte order than this machine`);
    if (hasErrno(error, "EINVAL")) throw new Error(`this libseccomp does not know the architecture ${name}`);
    throw error;
  }
}

/** The newest call that the profile names, on each architecture on which it names any. */
function newestCalls(filter: SeccompFilter, { architectures, names }: FilterPlan): NewestCall[] {
  const newestOn = (token: number) => Math.max(...names.map((name) => filter.resolveOn(token, name)), -1);
  const { SCMP_ARCH_X32, SCMP_ARCH_X86_64 } = ARCHITECTURES;
  const x32 = architectures.includes(SCMP_ARCH_X32) ? newestOn(SCMP_ARCH_X32) : -1;
  return architectures
    .filter((token) => token !== SCMP_ARCH_X32)
    .map((token) => ({
      architecture: token,
      number: newestOn(token),
      ...(token === SCMP_ARCH_X86_64 && x32 >= 0 && { x32 }),
    }))
    .filter(({ number }) => number >= 0);
}
