/** Several at a time. */

/**
 * Does something for each item, a few at a time, and waits until nothing is at work any more, also when one fails.
 * @throws the first error; no further item is begun after it
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  act: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { error: unknown } | null = null;
  async function work(): Promise<void> {
    while (next < items.length && failure === null) {
      const index = next++;
      try {
        await act(items[index] as T, index);
      } catch (error) {
        failure ??= { error };
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  if (failure !== null) throw (failure as { error: unknown }).error;
}
