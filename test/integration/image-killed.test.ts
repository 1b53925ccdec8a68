/**
 * Commands on images that are killed at any moment: what is there afterwards is sound, the same command then finishes, and nothing is left.
 *
 * `TSRUNC_KILLS` says how many moments: 24, as a habit; 200 was run for the release.
 */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scratch } from "../image/support.ts";
import { cannotRun, runtime } from "./harness.ts";
import { type Registry, startRegistry, whyNoRegistry } from "./registry-server.ts";

const KILLS = Number(process.env["TSRUNC_KILLS"] ?? 24);
const FILES = 300;
const reason = cannotRun() ?? whyNoRegistry();

let scratch: Scratch;
let registry: Registry;

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

const environment = () => ({ PATH: process.env["PATH"] ?? "", HOME: scratch.at("home") });

function image(...args: string[]): Outcome {
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(runtime, ["image", ...args], {
    encoding: "utf8",
    env: environment(),
  });
  return { code, stdout, stderr };
}

function succeed(...args: string[]): string {
  const { code, stdout, stderr } = image(...args);
  expect(code, `${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

/** Starts a command and kills it after so many milliseconds. @returns whether it had not ended by then */
async function kill(after: number, ...args: string[]): Promise<boolean> {
  const child = spawn(runtime, ["image", ...args], { stdio: "ignore", env: environment() });
  const ended = new Promise<boolean>((done) => child.on("close", (_, signal) => done(signal === "SIGKILL")));
  await new Promise((done) => setTimeout(done, after));
  child.kill("SIGKILL");
  return ended;
}

/** How long a command takes here, now, in milliseconds: kills come at any moment of that. */
function duration(...args: string[]): number {
  const begun = process.hrtime.bigint();
  succeed(...args);
  return Number(process.hrtime.bigint() - begun) / 1e6;
}

beforeAll(async () => {
  if (reason !== null) return;
  scratch = new Scratch();
  registry = await startRegistry(scratch.at("registry"));
  mkdirSync(scratch.at("home"));
  mkdirSync(scratch.at("rootfs/many"), { recursive: true });
  for (let index = 0; index < FILES; index++)
    writeFileSync(scratch.at(`rootfs/many/${index}`), `${index}`.repeat(2000));
  writeFileSync(scratch.at("rootfs/random"), randomBytes(3_000_000));
});

afterAll(() => {
  registry?.stop();
  scratch?.[Symbol.dispose]();
});

/** What no command may leave behind. */
function expectNothingLeft(store: string, blobs: number): void {
  const namesIn = (name: string) => (existsSync(join(store, name)) ? readdirSync(join(store, name)) : []);
  for (const place of ["ingest", "leases", "snapshots/tmp", "snapshots/active", "snapshots/bundles"])
    expect({ place, names: namesIn(place) }).toEqual({ place, names: [] });
  expect(namesIn("blobs/sha256")).toHaveLength(blobs);
  expect(readdirSync(store).filter((name) => name.endsWith(".new"))).toEqual([]);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(scratch.path);
}

describe.skipIf(reason !== null)(`kill -9${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  test(`at ${KILLS} moments of pull, bundle, rm and prune loses nothing`, { timeout: 3_600_000 }, async () => {
    const store = scratch.at("store");
    const reference = `${registry.host}/team/app:1`;
    const bundle = scratch.at("bundle");
    const at = ["--store", store];
    const bundled = (...more: string[]) => ["bundle", "-q", ...at, ...more, reference, bundle, "/bin/true"];
    const commands: Record<string, string[]> = {
      pull: ["pull", "-q", "--plain-http", ...at, reference],
      overlay: bundled(),
      copy: bundled("--copy"),
      rm: ["rm", "--force", ...at, reference],
      prune: ["prune", ...at],
    };
    succeed("import", "-q", ...at, scratch.at("rootfs"), reference);
    succeed("push", "-q", "--plain-http", ...at, reference);
    /** Makes the moment before a command. */
    const prepare: Record<string, () => void> = {
      pull: () => {
        succeed("rm", "--force", ...at, reference);
        succeed("prune", ...at);
      },
      // Half of the times the layers have to be unpacked first.
      overlay: () => {
        if (Math.random() < 0.5) return;
        succeed("rm", ...at, reference);
        succeed(...(commands["pull"] ?? []));
      },
      copy: () => {},
      rm: () => {},
      // Garbage of all kinds.
      prune: () => {
        succeed("untag", ...at, reference);
        mkdirSync(join(store, "snapshots/tmp/left/fs/d"), { recursive: true });
        writeFileSync(join(store, "ingest/new-0123"), "x");
      },
    };
    const names = Object.keys(commands);
    const lengths = new Map<string, number>();
    let killed = 0;
    for (let round = 0; round < KILLS; round++) {
      const name = names[round % names.length] as string;
      const args = commands[name] as string[];
      prepare[name]?.();
      if (!lengths.has(name)) {
        lengths.set(name, duration(...args));
        if (existsSync(bundle)) succeed("unbundle", bundle);
        if (name === "rm" || name === "prune") succeed(...(commands["pull"] ?? []));
        prepare[name]?.();
      }
      if (await kill(Math.random() * (lengths.get(name) ?? 0), ...args)) killed++;
      const { code, stdout } = image("verify", ...at);
      expect(code, `after ${name}: ${stdout}`).toBe(0);
      if (existsSync(join(bundle, "config.json"))) succeed("unbundle", bundle);
      succeed(...args);
      if (name === "overlay" || name === "copy") {
        expect(readdirSync(join(bundle, "rootfs/many"))).toHaveLength(FILES);
        succeed("unbundle", bundle);
        expect(existsSync(bundle)).toBe(false);
      }
      if (name === "rm" || name === "prune") succeed(...(commands["pull"] ?? []));
    }
    // Most came before the end.
    expect(killed).toBeGreaterThan(KILLS / 4);
    succeed("prune", ...at);
    expect(succeed("verify", ...at)).toContain("1 images, 3 contents");
    expectNothingLeft(store, 3);
  });

  test("of image run leaves what prune removes", { timeout: 3_600_000 }, async () => {
    const store = scratch.at("run-store");
    const at = ["--store", store];
    mkdirSync(scratch.at("small/bin"), { recursive: true });
    writeFileSync(scratch.at("small/bin/sh"), readFileSync("build/busybox"), { mode: 0o755 });
    succeed("import", "-q", ...at, scratch.at("small"), "small:1");
    const args = ["run", "-q", ...at, "small:1", "/bin/sh", "-c", "exit 0"];
    const length = duration(...args);
    for (let round = 0; round < Math.ceil(KILLS / 4); round++) {
      await kill(Math.random() * length, ...args);
      succeed(...args);
    }
    // A container whose image program was killed goes on to its end, and its bundle is in use until then.
    for (let tries = 0; tries < 100; tries++) {
      succeed("prune", ...at);
      if (readdirSync(join(store, "snapshots/bundles")).length === 0) break;
      await new Promise((done) => setTimeout(done, 100));
    }
    expectNothingLeft(store, 3);
  });
});
