/** What runs against the runtime while it works. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach } from "vitest";

/** How many starts a race gets: `TSRUNC_RACE_STARTS`. Each hole was found within some dozens, or some hundred. */
export const STARTS = Number(process.env.TSRUNC_RACE_STARTS ?? 60);

const attackers: ChildProcess[] = [];

/** To be called at the top of a test file: stops the attackers of each test after it. */
export function stopAttackers(): void {
  afterEach(() => {
    for (const attacker of attackers.splice(0)) attacker.kill("SIGKILL");
  });
}

/** Exchanges the pairs of names, over and over, until the test's end. Needs python3. */
export function exchange(...names: string[]): void {
  attackers.push(
    spawn("python3", [join(import.meta.dirname, "../support/exchange.py"), ...names], { stdio: "ignore" }),
  );
}
