/** Waiting for what no descriptor tells. */
import { setTimeout as sleep } from "node:timers/promises";

/** @param patience milliseconds @returns whether it has come true */
export async function waitUntil(isTrue: () => boolean, patience: number): Promise<boolean> {
  const end = Date.now() + patience;
  for (let pause = 5; ; pause = Math.min(2 * pause, 100)) {
    if (isTrue()) return true;
    const left = end - Date.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
  }
}
