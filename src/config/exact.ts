/** Guards against numbers that a JavaScript number cannot hold, where being off by one is not harmless. */
import { ConfigError } from "./error.ts";
import type { Seccomp } from "./types.ts";

/** The highest value of an unsigned 64-bit number, which is parsed as 2⁶⁴ and meant by that. */
const ALL_BITS = 18446744073709551615n;

/**
 * Refuses seccomp arguments that lose bits: a filter would compare with another value than the one written.
 * @param text the configuration as written
 * @throws {ConfigError}
 */
export function checkExactArguments(syscalls: Seccomp["syscalls"] & object, text: string): void {
  const hasLarge = syscalls.some(({ args }) =>
    args?.some(({ value, valueTwo = 0 }) => value > Number.MAX_SAFE_INTEGER || valueTwo > Number.MAX_SAFE_INTEGER),
  );
  if (!hasLarge) return;
  const inexact = new Map<number, string>();
  JSON.parse(text, ((key: string, value: unknown, { source }: { source: string }) => {
    if ((key === "value" || key === "valueTwo") && typeof value === "number" && !isExact(value, source)) {
      inexact.set(value, source);
    }
    return value;
  }) as (key: string, value: unknown) => unknown);
  syscalls.forEach(({ args = [] }, entry) => {
    args.forEach((argument, index) => {
      for (const name of ["value", "valueTwo"] as const) {
        const source = inexact.get(argument[name] ?? 0);
        if (source === undefined) continue;
        const pointer = `/linux/seccomp/syscalls/${entry}/args/${index}/${name}`;
        throw new ConfigError(pointer, undefined, `${source} has more significant bits than the 53 that are supported`);
      }
    });
  });
}

function isExact(value: number, source: string): boolean {
  if (!/^\d+$/.test(source)) return true;
  const written = BigInt(source);
  return written === BigInt(value) || written === ALL_BITS;
}
