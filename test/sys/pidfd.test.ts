/** A process that is gone is no failure: between a look at it and the next call its parent may have waited for it. */
import { spawn, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { pidfdFind } from "../../src/sys/process.ts";

test("finds a process that lives, and nothing in the place of one that was waited for", () => {
  const child = spawn("sleep", ["100"], { stdio: "ignore" });
  {
    using living = pidfdFind(child.pid as number);
    expect(living).not.toBeNull();
  }
  child.kill("SIGKILL");
  const { pid } = spawnSync("true");
  expect(pidfdFind(pid)).toBeNull();
});
