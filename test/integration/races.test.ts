/** Races that a container with a shared volume runs against the start of another. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exchange, STARTS, stopAttackers } from "./attackers.ts";
import { directory, hasProgram, makeBundle, newId, runtime, stateRoot, tsrunc, useContainers } from "./harness.ts";

useContainers();
stopAttackers();

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

  test("leads no mount out of the rootfs, and has nothing made there (CVE-2021-30465, CVE-2024-45310)", {
    timeout: 1_200_000,
  }, () => {
    const volume = join(directory(), "volume");
    const host = join(directory(), "host");
    mkdirSync(join(host, "in"), { recursive: true });
    mkdirSync(join(volume, "a/in"), { recursive: true });
    symlinkSync(host, join(volume, "link"));
    const bundle = makeBundle("cat /proc/self/mountinfo", (config, { path }) => {
      mkdirSync(join(path, "source"));
      config.mounts.push(
        { destination: "/volume", source: volume, options: ["rbind"] },
        { destination: "/volume/a/in", type: "tmpfs", source: "marked" },
        { destination: "/volume/a/made/deep", source: "source", options: ["bind"] },
      );
    });
    exchange(join(volume, "a"), join(volume, "link"));
    let started = 0;
    for (let start = 0; start < STARTS; start++) {
      const { code, stdout } = tsrunc(["run", "--bundle", bundle.path, newId()]);
      expect(listing(host), `start ${start}`).toBe(" d 755 root \nin d 755 root \n");
      // A mount that has gone to the host's side is gone with the change of root.
      if (code === 0) expect(stdout, `start ${start}`).toMatch(/ marked /);
      // Make the way anew each time.
      for (const name of ["a", "link"]) spawnSync("rm", ["-rf", join(volume, name, "made")]);
      if (code === 0) started++;
    }
    expect(started).toBeGreaterThan(0);
  });

  test("masks nothing by what is not the null device (CVE-2025-31133)", { timeout: 1_200_000 }, () => {
    const volume = join(directory(), "volume");
    mkdirSync(volume);
    spawnSync("mknod", [join(volume, "null"), "c", "1", "3"]);
    symlinkSync("/proc/sys/kernel/core_pattern", join(volume, "link"));
    const bundle = makeBundle("stat -c %F,%t:%T /proc/interrupts", (config) => {
      config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
      config.mounts.push({ destination: "/dev", source: volume, options: ["rbind"] });
      config.linux.maskedPaths = ["/proc/interrupts"];
    });
    exchange(join(volume, "null"), join(volume, "link"));
    const seen = new Set<string>();
    for (let start = 0; start < STARTS; start++) {
      seen.add(tsrunc(["run", "--bundle", bundle.path, newId()]).stdout.trim());
    }
    expect([...seen].sort()).toEqual(["", "character special file,1:3"]);
  });

  test("has the terminal mounted nowhere but on /dev/console (CVE-2025-52565)", { timeout: 1_200_000 }, () => {
    const volume = join(directory(), "volume");
    mkdirSync(join(volume, "pts"), { recursive: true });
    writeFileSync(join(volume, "console"), "");
    symlinkSync("/proc/interrupts", join(volume, "link"));
    const bundle = makeBundle("cat /proc/self/mountinfo", (config) => {
      const options = ["newinstance", "ptmxmode=0666"];
      config.mounts = config.mounts.filter(({ destination }) => destination === "/proc");
      config.mounts.push(
        { destination: "/dev", source: volume, options: ["rbind"] },
        { destination: "/dev/pts", type: "devpts", source: "devpts", options },
      );
      config.linux.maskedPaths = [];
      config.process.terminal = true;
    });
    exchange(join(volume, "console"), join(volume, "link"));
    let started = 0;
    for (let start = 0; start < STARTS; start++) {
      const { stdout } = tsrunc(["run", "--bundle", bundle.path, newId()]);
      expect(stdout, `start ${start}`).not.toContain("/proc/interrupts");
      // Under either name: it may have been exchanged since.
      for (const line of stdout.split("\n").filter((text) => / \/\d+ .* devpts /.test(text))) {
        expect(line.split(" ")[4], `start ${start}`).toMatch(/^\/dev\/(console|link)$/);
        started++;
      }
    }
    expect(started).toBeGreaterThan(0);
  });
});

describe("containers that start at once on one rootfs", () => {
  test("each find what another was quicker to make: directories, files and links", { timeout: 300_000 }, async () => {
    const [ROUNDS, STARTS_AT_ONCE, PLACES] = [3, 6, 20];
    const source = join(directory(), "source");
    writeFileSync(source, "");
    const first = makeBundle("true");
    for (let round = 0; round < ROUNDS; round++) {
      const ends = Array.from({ length: STARTS_AT_ONCE }, async () => {
        const { path } = makeBundle("echo ran", (config) => {
          config.root = { path: first.rootfs };
          // Without a filesystem of its own for /dev.
          config.mounts = config.mounts.filter(({ destination }) => !destination.startsWith("/dev"));
          for (let place = 0; place < PLACES; place++) {
            const at = `/round${round}/${place}`;
            config.mounts.push(
              { destination: `${at}/directory/below`, type: "tmpfs", source: "tmpfs" },
              { destination: `${at}/file`, source, options: ["bind"] },
            );
          }
        });
        const child = spawn(runtime, ["--root", stateRoot(), "run", "--bundle", path, newId()], {
          stdio: ["ignore", "pipe", "pipe"],
        });
        const [output, errors]: [string[], string[]] = [[], []];
        child.stdout.on("data", (chunk) => output.push(String(chunk)));
        child.stderr.on("data", (chunk) => errors.push(String(chunk)));
        const [code] = await once(child, "close");
        return { code, stdout: output.join(""), stderr: errors.join("") };
      });
      expect(await Promise.all(ends)).toEqual(ends.map(() => ({ code: 0, stdout: "ran\n", stderr: "" })));
    }
  });
});
