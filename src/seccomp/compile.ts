/** Has libseccomp build a filter. In a process whose libc is the host's: see `sys/libseccomp.ts`. */

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

/** From so many calls on, a tree is cheaper than going through them. libseccomp#370: one without a rule kills everything. */
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
  for (const token of plan.architectures) filter.addArchitecture(token);
  if (numbers.size >= CALLS_WORTH_A_TREE) filter.useBinaryTree();
  for (const { names, action, conditions } of plan.rules) {
    const comparisons = conditions.map(({ index, operator, value, valueTwo }) => ({
      index,
      operator,
      value: BigInt(value),
      valueTwo: BigInt(valueTwo),
    }));
    for (const name of names) {
      const call = numbers.get(name);
      if (call !== null && call !== undefined) filter.addRule(action, call, comparisons);
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
