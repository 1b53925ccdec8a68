/** Versions of CRIU, as one number each: 3.17.1 is 31701. */
import type { CriuResponse } from "./messages.ts";

/** What is needed for more than others. 3.15 has external pid namespaces, and says when pages can be fetched. */
export const LEAST = { any: 31500, lsm: 31600 } as const;

/** @throws {Error} where the response has no version */
export function versionIn({ version }: CriuResponse): number {
  const { major_number: major, minor_number: minor, sublevel = 0 } = version ?? {};
  if (major === undefined || minor === undefined) throw new Error("criu did not say which version it is");
  return major * 10_000 + minor * 100 + sublevel;
}

/** In digits and points. */
export function versionText(version: number): string {
  const [major, minor, sublevel] = [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100];
  return [major, minor, ...(sublevel > 0 ? [sublevel] : [])].join(".");
}

/** @throws {Error} when it is older than that @param purpose what needs it */
export function requireVersion(version: number, least: number, purpose: string): void {
  if (version >= least) return;
  throw new Error(`criu ${versionText(version)} is too old: ${purpose} needs ${versionText(least)} or later`);
}
