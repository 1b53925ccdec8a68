/**
 * Images beside umoci, podman and skopeo: a large layer unpacked, an OCI layout taken in, a bundle of layers that are unpacked already, a
 * container from an image that is held. Each figure is a median of some rounds in which all take turns.
 *
 * The layer is made anew, always the same: 12,300 files, 372 MB, 146 MB by gzip, as a Debian with a compiler has them.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { endOfArchive, headerOf, padding, type WrittenEntry } from "../src/image/layer/tar-writer.ts";
import type { ByteName } from "../src/sys/byte-name.ts";
import { unmountBelow } from "../test/image/support.ts";

/** One line of the table. */
export interface ImageRow {
  name: string;
  unit: "ms" | "MB";
  /** The medians, by program. */
  values: Record<string, number>;
  verdicts: { target: string; found: number; met: boolean }[];
}

interface Target {
  /** At most so many times a program's figure, or so much more than it; by itself, at most so much. */
  of?: string;
  ratio?: number;
  over?: number;
  most?: number;
}

type Way = { before?: () => void; act: () => void };

const TSRUNC = resolve("dist/tsrunc");
const RUNS = Number(process.env["IMAGE_RUNS"] ?? 3);
const QUICK_RUNS = Number(process.env["RUNS"] ?? 20);

const run = (command: string, ...args: string[]) =>
  void execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], maxBuffer: 1 << 26 });

function has(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

/** @param say tells what is measured, and what is not @throws {Error} when a program fails */
export function measureImages(scratch: string, say: (message: string) => void): ImageRow[] {
  const missing = ["umoci", "podman", "skopeo"].filter((program) => !has(program));
  if (missing.length > 0) say(`images: without ${missing.join(", ")}`);
  const peers = (ways: Record<string, Way>) =>
    Object.fromEntries(Object.entries(ways).filter(([name]) => !missing.includes(name.split(" ")[0] as string)));
  const at = (name: string) => join(scratch, name);
  const image = (command: string, ...args: string[]) => run(TSRUNC, "image", command, "--store", at("store"), ...args);
  const podman = podmanIn(at("podman-storage"));
  try {
    say("images: making the layer");
    writeLayer(at("layer.tar"));
    image("import", "-q", "-c", 'CMD ["/bin/true"]', at("layer.tar"), "large:1");
    rmSync(at("layer.tar"));
    image("save", "-q", "--format", "oci-dir", "-o", at("layout"), "large:1");
    const name = "docker.io/library/large:1";
    const rows: ImageRow[] = [];
    const clear = (path: string) => () => rmSync(path, { recursive: true, force: true });
    const unbundle = () => spawnSync(TSRUNC, ["image", "unbundle", at("bundle")]);
    say("images: unpacking a large layer");
    const copy = { before: unbundle, act: () => image("bundle", "-q", "--copy", "large:1", at("bundle")) };
    rows.push(
      row(
        "unpack 372 MB (bundle --copy)",
        RUNS,
        peers({
          tsrunc: copy,
          umoci: {
            before: clear(at("umoci")),
            act: () => run("umoci", "unpack", "--image", `${at("layout")}:${name}`, at("umoci")),
          },
          podman: {
            before: () => podman.try("rmi", "--all", "--force"),
            act: () => void podman("pull", "-q", `oci:layout:${name}`),
          },
        }),
        [
          { of: "umoci", ratio: 0.4 },
          { of: "podman", ratio: 0.35 },
        ],
      ),
    );
    say("images: memory");
    unbundle();
    rows.push(memoryRow(["image", "bundle", "-q", "--copy", "--store", at("store"), "large:1", at("bundle")]));
    unbundle();
    say("images: taking in a layout");
    rows.push(
      row(
        "take in an OCI layout (load)",
        RUNS,
        peers({
          tsrunc: {
            before: clear(at("other")),
            act: () => run(TSRUNC, "image", "load", "-q", "--store", at("other"), at("layout")),
          },
          skopeo: {
            before: clear(at("copied")),
            act: () => run("skopeo", "copy", "-q", `oci:${at("layout")}:${name}`, `oci:${at("copied")}:x`),
          },
        }),
        [],
      ),
    );
    for (const path of [at("umoci"), at("other"), at("copied")]) clear(path)();
    say("images: bundles of what is unpacked");
    image("bundle", "-q", "large:1", at("bundle"));
    const overlay = { before: unbundle, act: () => image("bundle", "-q", "large:1", at("bundle")) };
    rows.push(row("bundle of unpacked layers (overlay)", QUICK_RUNS, { tsrunc: overlay }, [{ most: 60 }]));
    unbundle();
    say("images: containers of what is held");
    rows.push(runRow(at, image, podman, missing));
    return rows;
  } finally {
    podman.try("rmi", "--all", "--force");
    // It mounts its own directory on itself.
    unmountBelow(scratch);
  }
}

function runRow(
  at: (name: string) => string,
  image: (command: string, ...args: string[]) => void,
  podman: ReturnType<typeof podmanIn>,
  missing: readonly string[],
): ImageRow {
  mkdirSync(at("small/bin"), { recursive: true });
  copyFileSync(process.env["BUSYBOX"] || "build/busybox", at("small/bin/busybox"));
  symlinkSync("busybox", at("small/bin/true"));
  image("import", "-q", "-c", 'CMD ["/bin/true"]', at("small"), "small:1");
  image("save", "-q", "--format", "oci-dir", "-o", at("small-layout"), "small:1");
  const named = "docker.io/library/small:1";
  image("bundle", "-q", "small:1", at("small-bundle"));
  const id = `bench-image-${process.pid}`;
  const ways: Record<string, Way> = {
    tsrunc: { act: () => image("run", "-q", "small:1") },
    "tsrunc run": { act: () => run(TSRUNC, "run", "--bundle", at("small-bundle"), id) },
  };
  if (!missing.includes("podman")) {
    const pulled = podman("pull", "-q", `oci:small-layout:${named}`);
    // Of the same: no network, and nothing that stays.
    ways["podman"] = { act: () => void podman("run", "--rm", "--network", "none", ...MODEST, pulled) };
  }
  const targets = [
    { of: "tsrunc run", over: 80 },
    { of: "podman", ratio: 0.5 },
  ];
  const result = row("container of a held image (run)", QUICK_RUNS, ways, targets);
  run(TSRUNC, "image", "unbundle", at("small-bundle"));
  return result;
}

/** Limits that a root without CAP_SYS_RESOURCE may set, too. */
const MODEST = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

/** Podman with a store of its own, whose drivers are those that it has by itself. */
function podmanIn(directory: string) {
  const global = [
    "--root",
    join(directory, "root"),
    "--runroot",
    join(directory, "run"),
    "--cgroup-manager",
    "cgroupfs",
    // crun refuses machines whose hierarchies are mixed.
    ...(has("runc") ? ["--runtime", "runc"] : []),
  ];
  // It makes a name of a layout's path, which has to be one: so that is relative.
  const call = (...args: string[]) =>
    execFileSync("podman", [...global, ...args], {
      cwd: dirname(directory),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 1 << 26,
    }).trim();
  return Object.assign(call, { try: (...args: string[]) => void spawnSync("podman", [...global, ...args]) });
}

/** Has all take turns, so that what else the machine does meets each. */
function row(name: string, runs: number, ways: Record<string, Way>, targets: readonly Target[]): ImageRow {
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= runs; round++) {
    for (const [program, { before, act }] of Object.entries(ways)) {
      before?.();
      const begun = process.hrtime.bigint();
      act();
      // The first round fills the caches.
      const elapsed = Number(process.hrtime.bigint() - begun) / 1e6;
      if (round > 0) times[program] = [...(times[program] ?? []), elapsed];
    }
  }
  const values = Object.fromEntries(Object.entries(times).map(([program, all]) => [program, median(all)]));
  return { name, unit: "ms", values, verdicts: verdictsOf(values, targets) };
}

function memoryRow(args: readonly string[]): ImageRow {
  const { stderr } = spawnSync("/usr/bin/time", ["-f", "%M", TSRUNC, ...args], { encoding: "utf8" });
  const values = { tsrunc: (Number(stderr.trim().split("\n").at(-1)) * 1024) / 1e6 };
  return { name: "its peak memory", unit: "MB", values, verdicts: verdictsOf(values, [{ most: 200 }]) };
}

function verdictsOf(values: Readonly<Record<string, number>>, targets: readonly Target[]): ImageRow["verdicts"] {
  const own = values["tsrunc"] as number;
  return targets.flatMap(({ of, ratio, over, most }) => {
    const other = of === undefined ? 0 : values[of];
    if (other === undefined) return [];
    if (ratio !== undefined) return [{ target: `<= ${ratio} x ${of}`, found: own / other, met: own <= ratio * other }];
    if (over !== undefined) return [{ target: `<= ${of} + ${over}`, found: own - other, met: own - other <= over }];
    return [{ target: `<= ${most}`, found: own, met: own <= (most as number) }];
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] as number;
}

/** The table that `make bench` prints below that of the runtimes. */
export function imageTable(rows: readonly ImageRow[]): string {
  return rows
    .map(({ name, unit, values, verdicts }) => {
      const figures = Object.entries(values).map(
        ([program, value]) => `${program} ${value.toFixed(value < 100 ? 1 : 0)}`,
      );
      const judged = verdicts.map(
        ({ target, found, met }) => `${target}: ${found.toFixed(found < 10 ? 2 : 0)}, ${met ? "met" : "missed"}`,
      );
      return `${name.padEnd(38)} ${unit}  ${figures.join(", ")}${judged.length === 0 ? "" : `  (${judged.join("; ")})`}`;
    })
    .join("\n");
}

const FILES = 12_300;
const BYTES = 372_000_000;
/** Of each file's bytes; the rest is text. */
const INCOMPRESSIBLE = 0.36;

/** Writes the layer's archive: directories, files of all sizes, some links. */
function writeLayer(path: string): void {
  const random = generator(20_240_229);
  const noise = Buffer.alloc(1 << 20);
  for (let index = 0; index < noise.length; index += 4) noise.writeUInt32LE(random(), index);
  const words = Array.from({ length: 4096 }, () => (random() % 60_466_176).toString(36));
  let text = "";
  while (text.length < 1 << 20) text += `${words[random() % (1 + (random() % words.length))]} `;
  const prose = Buffer.from(text);
  // Sizes are spread as in real trees: many small, few large.
  const weights = Array.from({ length: FILES }, () => Math.exp(4 * (random() / 2 ** 32)) ** 1.5);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const file = openSync(path, "w");
  const put = (bytes: Uint8Array) => void writeSync(file, bytes);
  const entry = (name: string, more: Partial<WrittenEntry>): WrittenEntry => ({
    name: name as ByteName,
    type: "file",
    linkName: "" as ByteName,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 1_700_000_000_000_000_000n,
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...more,
  });
  for (const [index, weight] of weights.entries()) {
    const directory = `usr/lib/part${index % 97}/sub${index % 7}`;
    if (index < 97 * 7) put(headerOf(entry(`${directory}/`, { type: "directory", mode: 0o755 })));
    if (index % 41 === 40) {
      put(headerOf(entry(`${directory}/link${index}`, { type: "symlink", linkName: `file${index - 1}` as ByteName })));
      continue;
    }
    const size = Math.round((weight / total) * BYTES);
    put(headerOf(entry(`${directory}/file${index}`, { size, mode: index % 5 === 0 ? 0o755 : 0o644 })));
    const random1 = Math.round(size * INCOMPRESSIBLE);
    for (const [source, length] of [
      [noise, random1],
      [prose, size - random1],
    ] as const) {
      for (let rest = length; rest > 0; ) {
        const from = random() % (source.length >> 1);
        // What gzip sees within its 32 KiB is never twice the same noise.
        const part = source.subarray(from, from + Math.min(rest, source.length - from));
        put(part);
        rest -= part.length;
      }
    }
    put(padding(size));
  }
  put(endOfArchive());
  closeSync(file);
}

/** 32 bits at a time, always the same. @see Marsaglia, "Xorshift RNGs" */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
