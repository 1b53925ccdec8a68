/** A message bus of a test's own, with a systemd on it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Scenario } from "./fake-systemd.ts";

const running: { server: ChildProcess; directory: string }[] = [];

afterEach(() => {
  delete process.env["DBUS_SYSTEM_BUS_ADDRESS"];
  for (const { server, directory } of running.splice(0)) {
    server.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
});

/** Starts a bus, which is the system's from now on. @returns what was called on it */
export async function startBus(scenario: Scenario): Promise<() => string[]> {
  const directory = mkdtempSync(join(tmpdir(), "tsrunc-bus-"));
  const [path, log] = [join(directory, "bus"), join(directory, "log")];
  const script = join(import.meta.dirname, "fake-systemd.ts");
  const server = spawn(process.execPath, [script, path, JSON.stringify(scenario), log], { stdio: "inherit" });
  running.push({ server, directory });
  for (let attempt = 0; !existsSync(log) && attempt < 1000; attempt++) await new Promise((go) => setTimeout(go, 20));
  process.env["DBUS_SYSTEM_BUS_ADDRESS"] = `unix:path=${path}`;
  return () => readFileSync(log, "utf8").trimEnd().split("\n");
}
