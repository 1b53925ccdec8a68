import { describe, expect, test } from "vitest";
import { describeTerminal, planTerminal } from "../../src/plan/terminal.ts";

const process = { cwd: "/", terminal: true };

describe("planTerminal", () => {
  test("plans nothing for a process without a terminal", () => {
    expect(planTerminal({ cwd: "/" }, true)).toEqual([]);
    expect(planTerminal({ cwd: "/", terminal: false, consoleSize: { height: 1, width: 1 } }, true)).toEqual([]);
  });

  test("opens a terminal, bound on the console where that is asked for", () => {
    const step = { kind: "open-terminal", pointer: "/process/terminal", consoleSize: null };
    expect(planTerminal(process, true)).toEqual([{ ...step, bindConsole: true }]);
    expect(planTerminal(process, false)).toEqual([{ ...step, bindConsole: false }]);
  });

  test("gives it a size, unless half of it is zero", () => {
    const sizeOf = (height: number, width: number) =>
      planTerminal({ ...process, consoleSize: { height, width } }, true)[0]?.consoleSize;
    expect(sizeOf(24, 80)).toEqual({ height: 24, width: 80 });
    expect(sizeOf(0, 80)).toBeNull();
    expect(sizeOf(24, 0)).toBeNull();
  });

  test("says so, with the size as terminals have it: columns by rows", () => {
    const [step] = planTerminal({ ...process, consoleSize: { height: 24, width: 80 } }, true);
    expect(describeTerminal["open-terminal"](step as NonNullable<typeof step>)).toBe(
      "open a terminal of 80x24 in the container's /dev/pts, and bind it on /dev/console",
    );
  });
});
