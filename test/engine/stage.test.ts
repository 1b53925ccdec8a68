import { describe, expect, it } from "vitest";
import { commandOf } from "../../src/engine/stage.ts";

describe("commandOf", () => {
  it.each([
    [["create", "c1"], "create"],
    [["--root", "run", "state", "c1"], "state"],
    [["--root=/x", "--debug", "run", "c1"], "run"],
    [["-log", "create", "exec", "c1", "run"], "exec"],
    [["--version"], undefined],
    [[], undefined],
  ])("finds the command in %j", (args, command) => {
    expect(commandOf(args)).toBe(command);
  });
});
