/** The parent's steps: a failure names the step, as the init's failures do. */

/**
 * Carries out a step of the plan.
 * @param describe says the step in words
 * @throws {Error} the step in words, and why it failed
 */
export function namingStep<T>(describe: () => string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`${describe()}: ${(error as Error).message}`);
  }
}
