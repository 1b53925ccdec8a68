import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Driver, runCommand } from "../support/driver.ts";

describe("callerNofileLimit", () => {
  let driver: Driver;
  beforeAll(() => {
    driver = new Driver("test/runtime/caller-nofile.driver.ts");
  });
  afterAll(() => driver[Symbol.dispose]());

  const callerWith = (ulimit: string) =>
    runCommand(["bash", "-c", `${ulimit}; "$@"; true`, "bash", ...driver.command()]).stdout.trim();

  it("is the caller's, which the engine has raised meanwhile", () => {
    expect(callerWith("ulimit -Hn 500; ulimit -Sn 321")).toBe("321");
  });

  it("is none when the caller's soft limit is its hard limit already", () => {
    expect(callerWith("ulimit -n 500")).toBe("null");
  });
});
