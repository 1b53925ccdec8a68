import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { daemonLog } from "../../src/cli/daemon-log.ts";
import { bindDatagramSocket, receiveMessage } from "../../src/sys/socket.ts";
import { decode } from "../../src/sys/text.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "daemon-log-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What a daemon gets of one record. */
function sent(daemon: "journald" | "syslog", level: "error" | "debug", message: string): string | undefined {
  const path = join(directory, "socket");
  rmSync(path, { force: true });
  using socket = bindDatagramSocket(path);
  daemonLog(daemon, "web", path).write(level, message);
  return decode(receiveMessage(socket.number)?.payload ?? new Uint8Array());
}

describe("a record", () => {
  test("for syslog has its facility and severity in front", () => {
    expect(sent("syslog", "error", "it failed")).toBe("<11>web: it failed");
    expect(sent("syslog", "debug", "x")).toBe("<15>web: x");
  });

  test("for journald is fields", () => {
    expect(sent("journald", "error", "it failed")).toBe("PRIORITY=3\nSYSLOG_IDENTIFIER=web\nMESSAGE=it failed\n");
  });

  test("is one line: a line of its own would be a field", () => {
    expect(sent("journald", "error", "first\n  _UID=0\n")).toContain("\nMESSAGE=first; _UID=0\n");
  });
});

test("a daemon that is not there is said to be so", () => {
  expect(() => daemonLog("syslog", "web", join(directory, "none"))).toThrow(/there is no syslog here/);
});
