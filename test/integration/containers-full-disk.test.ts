/** A disk that is full while containers run: it costs lines of their logs, and nothing else. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { unmountBelow } from "../image/support.ts";
import { list, monitorOf, must, one, scratch, tsrunc, until, useNamedContainers } from "./named.ts";

useNamedContainers();

const TALK = "i=0; while test $i -lt 400; do i=$((i+1)); echo line $i; sleep 0.01; done; exit 7";

/** Puts the containers on a small disk of their own, which is filled and emptied. */
async function withDisk(act: (disk: { fill(): void; empty(): void }) => Promise<void>): Promise<void> {
  const disk = scratch.at("store/containers");
  mkdirSync(disk, { recursive: true });
  expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", disk]).status).toBe(0);
  const filler = scratch.at("store/containers/filler");
  try {
    await act({ fill: () => fill(filler), empty: () => rmSync(filler) });
  } finally {
    for (const { id } of list()) tsrunc(["container", "rm", "--force", id]);
    unmountBelow(disk);
  }
}

function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch {
    closeSync(file);
  }
}

test("keeps its exit code, and takes the log up again when there is room", () =>
  withDisk(async ({ fill, empty }) => {
    must(["image", "run", "--quiet", "--detach", "--name", "talk", "demo", "sh", "-c", TALK]);
    await until(() => must(["container", "logs", "talk"]).includes("line 20\n"));
    fill();
    await sleep(300);
    expect(must(["container", "exec", "talk", "echo", "inside"])).toBe("inside\n");
    empty();
    await until(() => one("talk")?.status === "exited");
    expect(one("talk")?.exitCode).toBe(7);
    const lines = must(["container", "logs", "talk"]).trim().split("\n");
    expect(lines.at(-1)).toBe("line 400");
    expect(lines.filter((line) => !/^line \d+$/.test(line)).length).toBeLessThanOrEqual(1);
  }));

test("ends, starts and is removed while there is none, with the exit code that it had, and no word of the log", () =>
  withDisk(async ({ fill }) => {
    const id = must(["image", "run", "--quiet", "--detach", "--name", "talk", "demo", "sh", "-c", `${TALK}`]).trim();
    await until(() => must(["container", "logs", "talk"]).includes("line 20\n"));
    fill();
    await until(() => one("talk")?.status === "exited");
    expect(one("talk")?.exitCode).toBe(7);
    expect(tsrunc(["container", "start", "talk"])).toMatchObject({ code: 0, stdout: "talk\n", stderr: "" });
    // Another one takes over.
    process.kill(monitorOf(id), "SIGKILL");
    expect(tsrunc(["container", "list"])).toMatchObject({ code: 0, stderr: "" });
    expect(tsrunc(["container", "stop", "--time", "0", "talk"])).toMatchObject({ code: 0, stderr: "" });
    expect(one("talk")).toMatchObject({ status: "exited", exitCode: 137 });
    const refused = tsrunc(["image", "run", "--quiet", "--detach", "--name", "another", "demo"]);
    expect(refused).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^.*no space left on device.*\n$/),
    });
    expect(tsrunc(["container", "rm", "talk"])).toMatchObject({ code: 0, stderr: "" });
    expect(list()).toEqual([]);
  }));
