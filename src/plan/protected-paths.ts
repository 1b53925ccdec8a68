/** Paths that the container must not write to, or not see at all. */
import type { Linux } from "../config/types.ts";
import { cleanPath } from "./paths.ts";
import type { Describers, StepBase } from "./step.ts";

export type ProtectStep =
  | (StepBase & { kind: "readonly-paths"; paths: string[] })
  /** Files by `/dev/null`, directories by an empty tmpfs that is read-only. */
  | (StepBase & { kind: "mask-paths"; paths: string[]; label: string });

/** Plans `readonlyPaths` and `maskedPaths`; paths that do not exist are passed over. @param label of the tmpfs that masks directories */
export function planProtectedPaths({ readonlyPaths, maskedPaths }: Linux, label: string): ProtectStep[] {
  const steps: ProtectStep[] = [];
  // A mount on the root would leave this process below it: the root itself is made read-only.
  const readonly = unique(readonlyPaths ?? []).filter((path) => path !== "/");
  if (readonly.length > 0) steps.push({ kind: "readonly-paths", pointer: "/linux/readonlyPaths", paths: readonly });
  if (maskedPaths && maskedPaths.length > 0) {
    steps.push({
      kind: "mask-paths",
      pointer: "/linux/maskedPaths",
      paths: unique(maskedPaths),
      label,
    });
  }
  return steps;
}

function unique(paths: readonly string[]): string[] {
  return [...new Set(paths.map(cleanPath))];
}

export const describeProtection: Describers<ProtectStep> = {
  "readonly-paths": ({ paths }) => `make read-only: ${paths.join(", ")}`,
  "mask-paths": ({ paths }) => `mask: ${paths.join(", ")}`,
};
