/** The fuzzer itself: a command that never ends is one failure, and so is an input that ends the fuzzer; the others have their turn. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findBusybox } from "../support/rootfs.ts";

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "tsrunc-watch-"));
});
afterEach(() => rmSync(place, { recursive: true }));

/** A runtime that does what its command's name says. */
const STAND_IN = `#!/bin/sh
case "$3" in
hang) sleep 15 & wait ;;
stop-the-fuzzer) kill -STOP $PPID; sleep 15 ;;
end-the-fuzzer) kill -SEGV $PPID; sleep 15 ;;
be-silent) exit 3 ;;
esac
`;

const busybox = findBusybox();

test.skipIf(busybox === null)(
  "what hangs or crashes is a failure, and what comes after it is tried",
  () => {
    const runtime = join(place, "runtime");
    writeFileSync(runtime, STAND_IN);
    chmodSync(runtime, 0o755);
    const inputs = ["hang", "be-well", "stop-the-fuzzer", "end-the-fuzzer", "be-silent"];
    writeFileSync(join(place, "inputs"), JSON.stringify(inputs.map((name) => ({ target: "args", args: [name] }))));
    const { status, stderr, stdout } = spawnSync(process.execPath, [resolve("test/fuzz/watch.ts")], {
      cwd: place,
      encoding: "utf8",
      env: {
        ...process.env,
        TSRUNC: runtime,
        BUSYBOX: resolve(busybox as string),
        TMPDIR: place,
        FUZZ_INPUTS: join(place, "inputs"),
        FUZZ_LIMIT: "1500",
        FUZZ_PATIENCE: "4000",
      },
    });
    const of = (words: RegExp) => stderr.split("\n").filter((line) => words.test(line));
    expect(of(/hang: *$|ended by SIGKILL/)).toEqual([expect.stringMatching(/args-0\.json: ended by SIGKILL: hang/)]);
    expect(of(/one input/)).toEqual([
      expect.stringContaining("took longer than 4 seconds: see build/fuzz/ended-3.json"),
      expect.stringContaining("ended the fuzzer (SIGSEGV): see build/fuzz/ended-4.json"),
    ]);
    expect(of(/be-silent/)).toEqual([expect.stringMatching(/exit code 3 without a word/)]);
    expect(stderr).not.toContain("be-well");
    expect([status, stdout]).toEqual([1, expect.stringContaining("1 failed")]);
    expect(readdirSync(place).filter((name) => name.startsWith("tsrunc-fuzz"))).toEqual([]);
    expect(existsSync(join(place, "build/fuzz/ended-3.json"))).toBe(true);
  },
  60_000,
);
