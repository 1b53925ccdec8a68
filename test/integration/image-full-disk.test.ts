/** A disk that fills up while images come in or are unpacked: one clear line, nothing lost, nothing left. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scratch, unmountBelow } from "../image/support.ts";
import { cannotRun, runtime } from "./harness.ts";
import { type Registry, startRegistry, whyNoRegistry } from "./registry-server.ts";

const reason = cannotRun() ?? whyNoRegistry();
let scratch: Scratch;
let registry: Registry;

function image(args: string[]) {
  const { status, stdout, stderr } = spawnSync(runtime, ["image", ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", HOME: scratch.at("home") },
  });
  return { code: status, stdout, stderr };
}

function succeed(...args: string[]): string {
  const { code, stdout, stderr } = image(args);
  expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

const name = () => `${registry.host}/team/app:1`;

beforeAll(async () => {
  if (reason !== null) return;
  scratch = new Scratch();
  registry = await startRegistry(scratch.at("registry"));
  for (const directory of ["home", "rootfs/many", "tiny"]) mkdirSync(scratch.at(directory), { recursive: true });
  // A layer of 2 MB that unpacks to 6 MB.
  writeFileSync(scratch.at("rootfs/random"), randomBytes(2 << 20));
  for (let index = 0; index < 64; index++)
    writeFileSync(scratch.at(`rootfs/many/${index}`), `${index}`.repeat(32 << 10));
  writeFileSync(scratch.at("tiny/x"), "x");
  const at = ["--store", scratch.at("store")];
  succeed("import", "-q", ...at, scratch.at("rootfs"), name());
  succeed("push", "-q", "--plain-http", ...at, name());
  succeed("save", "-q", ...at, "-o", scratch.at("app.tar"), name());
  spawnSync("tar", ["-C", scratch.at("rootfs"), "-cf", scratch.at("rootfs.tar"), "."]);
});

afterAll(() => {
  registry?.stop();
  scratch?.[Symbol.dispose]();
});

/** Mounts a filesystem of so many kibibytes. */
function withDisk(kibibytes: number, act: (disk: string) => void): void {
  const disk = scratch.at("disk");
  mkdirSync(disk, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${kibibytes}k`, "tmpfs", disk]);
  expect(status, String(stderr)).toBe(0);
  try {
    act(disk);
  } finally {
    unmountBelow(disk);
  }
}

/** Runs what the disk may be too small for. @returns whether it was not */
function fits(args: string[]): boolean {
  const { code, stderr } = image(args);
  if (code === 0) return true;
  expect(code).toBe(1);
  const lines = stderr.trim().split("\n");
  expect(lines, stderr).toHaveLength(1);
  expect(stderr).toMatch(/no space left on device/i);
  expect(stderr).not.toContain("internal error");
  return false;
}

function expectSound(store: string, disk: string): void {
  expect(succeed("verify", "--store", store)).toContain("all sound");
  expect(succeed("list", "--store", store)).toContain("tiny");
  const namesIn = (place: string) => (existsSync(join(store, place)) ? readdirSync(join(store, place)) : []);
  for (const place of ["ingest", "leases", "snapshots/tmp", "snapshots/active", "snapshots/bundles"])
    expect({ place, names: namesIn(place) }).toEqual({ place, names: [] });
  expect(readdirSync(disk).filter((one) => !["store", "b"].includes(one))).toEqual([]);
}

const sizes = [300, 700, 1500, 2300, 3300, 5000, 7000, 9000, 12_000, 20_000];

describe.skipIf(reason !== null)(`a full disk${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  test.each<[what: string, args: () => string[]]>([
    ["pull", () => ["pull", "-q", "--plain-http", name()]],
    ["load", () => ["load", "-q", scratch.at("app.tar")]],
    ["import of an archive", () => ["import", "-q", scratch.at("rootfs.tar"), "other:1"]],
    ["import of a directory", () => ["import", "-q", scratch.at("rootfs"), "other:1"]],
  ])("stops the %s with one line, at whatever byte", { timeout: 300_000 }, (_, args) => {
    const outcomes = sizes.map((size) => {
      let outcome = false;
      withDisk(size, (disk) => {
        const store = join(disk, "store");
        succeed("import", "-q", "--store", store, scratch.at("tiny"), "tiny:1");
        const before = readdirSync(join(store, "blobs/sha256")).length;
        const [command = "", ...rest] = args();
        outcome = fits([command, "--store", store, ...rest]);
        // What a pull has got whole is for its next try, or for prune.
        if (command === "pull") succeed("prune", "--store", store);
        if (!outcome) expect(readdirSync(join(store, "blobs/sha256"))).toHaveLength(before);
        expectSound(store, disk);
      });
      return outcome;
    });
    expect([outcomes[0], outcomes.at(-1)]).toEqual([false, true]);
  });

  test.each(["overlay", "--copy"])(
    "stops a bundle (%s) with one line, at whatever byte",
    { timeout: 300_000 },
    (form) => {
      const outcomes = sizes.map((size) => {
        let outcome = false;
        // The layer itself is there.
        withDisk(size + 2600, (disk) => {
          const store = join(disk, "store");
          succeed("import", "-q", "--store", store, scratch.at("tiny"), "tiny:1");
          succeed("load", "-q", "--store", store, scratch.at("app.tar"));
          const bundle = join(disk, "b");
          const option = form === "overlay" ? [] : [form];
          const args = ["bundle", "-q", "--store", store, ...option, name(), bundle, "/x"];
          outcome = fits(args);
          expect(existsSync(bundle)).toBe(outcome);
          if (outcome) {
            expect(readdirSync(join(bundle, "rootfs/many"))).toHaveLength(64);
            succeed("unbundle", bundle);
          }
          expectSound(store, disk);
          expect(readdirSync(join(store, "snapshots"))).not.toContain("x");
          expect(succeed("list", "--store", store)).toContain("team/app");
        });
        return outcome;
      });
      expect([outcomes[0], outcomes.at(-1)]).toEqual([false, true]);
    },
  );
});
