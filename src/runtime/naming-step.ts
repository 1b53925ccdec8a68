/** The parent's steps: a failure names the step, as the init's failures do. */
import { describeStep } from "../plan/plan.ts";

/**
 * Carries out a step of the plan.
 * @throws {Error} the step in words, and why it failed
 */
export function namingStep<T>(step: Parameters<typeof describeStep>[0], act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new Error(`${describeStep(step)}: ${(error as Error).message}`);
  }
}
