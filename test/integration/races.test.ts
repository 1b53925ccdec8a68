/**
 * Races that a container with a shared volume runs against the start of another.
 *
 * `TSRUNC_RACE_STARTS` says how many starts; each hole was found within some hundred.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { directory, hasProgram, makeBundle, newId, tsrunc, useContainers } from "./harness.ts";

useContainers();

const STARTS = Number(process.env.TSRUNC_RACE_STARTS ?? 60);
const attackers: ChildProcess[] = [];

afterEach(() => {
  for (const attacker of attackers.splice(0)) attacker.kill("SIGKILL");
});

/** Exchanges the pairs of names, over and over, until the test's end. */
function exchange(...names: string[]): void {
  attackers.push(
    spawn("python3", [join(import.meta.dirname, "../support/exchange.py"), ...names], { stdio: "ignore" }),
  );
}

/** All paths below a directory, with their modes and owners. */
function listing(path: string): string {
  return spawnSync("find", [path, "-printf", "%P %y %m %u %l\\n"], { encoding: "utf8" }).stdout;
}

describe.skipIf(!hasProgram("python3"))("a neighbour that exchanges directories of a shared volume", () => {
  // The contents of a tmpfs were copied by paths, to where a path led after the mounting: into the volume, and through its symlinks.
  test("has no contents of a tmpfs (tmpcopyup) written to the host", { timeout: 1_200_000 }, () => {
    const volume = join(directory(), "volume");
    const host = join(directory(), "host");
    mkdirSync(host);
    for (const name of ["a", "b"]) mkdirSync(join(volume, name, "in"), { recursive: true });
    mkdirSync(join(volume, "a/in/d"));
    for (let index = 0; index < 100; index++) {
      const file = join(volume, `a/in/d/${index}`);
      writeFileSync(file, "");
      chmodSync(file, 0o4755);
    }
    symlinkSync(host, join(volume, "link"));
    const bundle = makeBundle("echo ran", (config) => {
      config.mounts.push(
        { destination: "/volume", source: volume, options: ["rbind"] },
        { destination: "/volume/a/in", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] },
      );
    });
    exchange(join(volume, "a"), join(volume, "b"));
    exchange(...["a", "b"].flatMap((name) => [join(volume, "link"), join(volume, name, "in/d")]));
    const outcomes = new Set<string>();
    for (let start = 0; start < STARTS; start++) {
      const { code, stdout } = tsrunc(["run", "--bundle", bundle.path, newId()]);
      outcomes.add(`${code} ${stdout.trim()}`);
      expect(listing(host), `start ${start}`).toBe(" d 755 root \n");
    }
    expect(outcomes).toContain("0 ran");
    for (const outcome of outcomes) expect(["0 ran", "1 "]).toContain(outcome);
    expect(readdirSync(host)).toEqual([]);
  });

  // The path was resolved a second time, and by then led to a mount that was read-only in its stead.
  test("keeps no mount writable that is made read-only once it is there", { timeout: 1_200_000 }, () => {
    const volume = join(directory(), "volume");
    const source = join(directory(), "bound-source");
    mkdirSync(source);
    mkdirSync(join(volume, "b"), { recursive: true });
    for (const name of ["late", "bound"]) {
      mkdirSync(join(volume, "a", name), { recursive: true });
      symlinkSync("/dev/shm", join(volume, "b", name));
    }
    const bundle = makeBundle("cat /proc/self/mountinfo", (config) => {
      config.mounts.push(
        { destination: "/volume", source: volume, options: ["rbind"] },
        { destination: "/volume/a/late", type: "tmpfs", source: "marked", options: ["ro"] },
        { destination: "/volume/a/bound", source, options: ["bind"] },
        { destination: "/volume/a/bound", options: ["bind", "remount", "ro"] },
      );
    });
    exchange(join(volume, "a"), join(volume, "b"));
    let seen = 0;
    for (let start = 0; start < STARTS; start++) {
      const { code, stdout } = tsrunc(["run", "--bundle", bundle.path, newId()]);
      expect([0, 1]).toContain(code);
      for (const line of stdout.split("\n").filter((text) => / marked |bound-source /.test(text))) {
        expect(line.split(" ")[5]?.split(","), `start ${start}: ${line}`).toContain("ro");
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(STARTS / 2);
  });
});
