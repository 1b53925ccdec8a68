/** Warnings of the commands whose failures engines explain to their users: `create`, `run`, `exec`. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Logger } from "../../src/runtime/options.ts";

const runtime = vi.hoisted(() => ({ create: (_log: Logger): void => undefined }));

vi.mock("../../src/runtime/create.ts", () => ({
  createContainer: ({ log }: { log: Logger }) => runtime.create(log),
}));

const { runCli } = await import("../../src/cli/cli.ts");

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-warnings-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** The messages in the log of `create`, by level. */
async function logged(format: "json" | "text", ...more: string[]): Promise<string[]> {
  const file = join(directory, "log");
  await runCli(["--log", file, "--log-format", format, ...more, "create", "web"]);
  const lines = readFileSync(file, { encoding: "utf8", flag: "a+" }).split("\n").slice(0, -1);
  if (format === "text") return lines.map((line) => line.replace(/^time="[^"]*" level=/, ""));
  return lines.map((line) => JSON.parse(line) as { level: string; msg: string }).map((r) => `${r.level}: ${r.msg}`);
}

describe("a warning", () => {
  test("is in the log once the command succeeds", async () => {
    runtime.create = (log) => log.warn("odd");
    expect(await logged("json")).toEqual(["warning: odd"]);
  });

  test("is written before the process goes on, when that is said", async () => {
    runtime.create = (log) => {
      log.warn("odd");
      log.release();
      log.info("started");
      log.warn("late");
    };
    expect(await logged("text")).toEqual(["warning msg=odd", "info msg=started", "warning msg=late"]);
  });

  test.each(["json", "text"] as const)("is dropped before an error, which is alone in the %s log", async (format) => {
    runtime.create = (log) => {
      log.warn("operation not permitted, but that does not matter");
      throw new Error("no such file or directory");
    };
    expect(await logged(format)).toEqual([expect.stringMatching(/^error.*tsrunc create failed: no such file/)]);
  });

  test("is written at once with --debug", async () => {
    runtime.create = (log) => {
      log.warn("odd");
      throw new Error("no");
    };
    expect(await logged("json", "--debug")).toContain("warning: odd");
  });
});
