import { describe, expect, it } from "vitest";
import { commandOf, preservedDescriptors } from "../src/stage.ts";

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

describe("preservedDescriptors", () => {
  it.each([
    [["run", "--preserve-fds", "3", "c1"], 3],
    [["run", "--preserve-fds=2", "c1"], 2],
    [["run", "-preserve-fds=1", "c1"], 1],
    [["run", "c1"], 0],
    [["run", "--preserve-fds", "x", "c1"], 0],
  ])("reads the number out of %j", (args, count) => {
    expect(preservedDescriptors(args)).toBe(count);
  });
});
