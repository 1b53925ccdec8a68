/**
 * The vocabulary of a plan: what a container's start consists of, as plain data.
 *
 * Each domain (namespaces, rootfs, process, …) declares its own steps next to the function that plans them, a
 * {@link Describers} table that says them in words, and, in `init/`, a {@link Handlers} table that carries them out.
 */

/** What all steps share. */
export interface StepBase {
  /** Names the step's form; unique over all domains. */
  kind: string;
  /** JSON pointer to the part of config.json that asked for it, such as `/mounts/3`. */
  pointer?: string;
}

/** The member of a union of steps that has a given kind. */
export type OfKind<S extends StepBase, K extends S["kind"]> = Extract<S, { kind: K }>;

/** Says each kind of step in words: one line, present tense, as it stands in `--explain` and in error messages. */
export type Describers<S extends StepBase> = { [K in S["kind"]]: (step: OfKind<S, K>) => string };

/** Says a step in words, by the {@link Describers} of several domains. */
export function describeBy(tables: readonly object[], step: StepBase): string {
  // Each table has exactly the kinds of its domain, so the one that is found fits; the compiler cannot pair them up.
  const words = tables.find((table) => step.kind in table) as Record<string, (step: StepBase) => string>;
  return words[step.kind]?.(step) ?? step.kind;
}

/** Carries out each kind of step, in the context `C`. Throws on failure; the caller adds the step's words to the error. */
export type Handlers<S extends StepBase, C> = { [K in S["kind"]]: (step: OfKind<S, K>, context: C) => void };
