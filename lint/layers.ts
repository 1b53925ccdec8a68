/**
 * The layers of `src/`: what each folder may import. The one place where that is said; biome's rules are made of it by
 * `make lint`, which writes `layers.json`, and `biome.json` extends that.
 */
import { writeFileSync } from "node:fs";

/** Packages of which only the layers that name them know. */
const PACKAGES = ["koffi", "commander", "pino", "ajv", "pbf"] as const;

interface Layer {
  /** Folders of `src/` that it may import, besides itself. */
  imports: readonly string[];
  packages?: readonly (typeof PACKAGES)[number][];
  /** `synchronous`: what the runtime program may use; `pure`: nothing that asks or changes the machine. */
  node: "all" | "synchronous" | "pure";
}

/** From the lowest to the highest. */
export const LAYERS: Readonly<Record<string, Layer>> = {
  sys: { imports: [], packages: ["koffi"], node: "synchronous" },
  config: { imports: ["sys"], node: "synchronous" },
  plan: { imports: ["config", "sys"], node: "pure" },
  cgroup: { imports: ["plan", "config", "sys"], node: "synchronous" },
  // Programs that the parent runs, and the init.
  hooks: { imports: ["config", "sys"], node: "synchronous" },
  seccomp: { imports: ["plan", "config", "sys"], node: "synchronous" },
  init: { imports: ["hooks", "cgroup", "seccomp", "plan", "config", "sys"], node: "synchronous" },
  // The program that writes processes down and makes them again.
  criu: { imports: ["plan", "config", "sys"], packages: ["pbf"], node: "synchronous" },
  runtime: { imports: ["init", "hooks", "cgroup", "seccomp", "criu", "plan", "config", "sys"], node: "synchronous" },
  // The program for images, which has an event loop and threads. The two meet at the bundle directory.
  image: { imports: ["init", "cgroup", "seccomp", "plan", "config", "sys"], node: "all" },
  cli: {
    imports: ["runtime", "image", "init", "hooks", "cgroup", "seccomp", "criu", "plan", "config", "sys"],
    packages: ["commander", "pino"],
    node: "synchronous",
  },
  // The package for programs, which runs under their engine: of `config` what is types and rules, and no system call.
  library: { imports: ["config"], node: "all" },
  // Half of it is the build's.
  engine: { imports: ["sys"], node: "all" },
};

const DIRECTION =
  "Imports point one way: cli → runtime, image → init, hooks, cgroup, seccomp → plan → config → sys (lint/layers.ts).";
const PURE = "A plan is a pure function: gather what it needs into HostFacts (src/runtime/host.ts).";
const SYNCHRONOUS =
  "The runtime program is synchronous and has one thread: between fork and exec nothing else is sound, and a snapshot has no event loop.";

const ASYNCHRONOUS_MODULES = [
  ...["fs/promises", "timers", "timers/promises", "worker_threads", "cluster", "net", "dgram", "dns", "http", "http2"],
  ...["https", "tls", "readline", "stream", "stream/promises", "inspector"],
].map((name) => `node:${name}`);

/** Of modules that have synchronous functions, too. */
const ASYNCHRONOUS_NAMES = {
  "node:child_process": ["exec", "execFile", "fork", "spawn", "default"],
  "node:fs": ["createReadStream", "createWriteStream", "promises", "watch", "watchFile", "default"],
};

const HASHES =
  "It comes with all of Node's streams, which a plain engine loads for 6 ms: use sys/hash.ts or sys/random.ts.";

const ASYNCHRONOUS_GLOBALS = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch", "Worker"];

const BYTES = "Names are bytes, which the engine's node:path destroys: use sys/path-names.ts.";
/** Folders whose paths are the builder's, or another program's. */
const ITS_OWN_PATHS: ReadonlySet<string> = new Set(["engine", "library"]);

/** What holds everywhere in `src/`. */
const GLOBALS = {
  Bun: "Bun is the engine, not an API: use node:* modules.",
  performance: "Use sys/clock.ts: in a snapshot of another machine's engine performance.now() may stand still.",
};

/** biome's configuration for a folder of `src/`. */
function override(name: string, { imports, packages = [], node }: Layer): object {
  const forbidden = Object.keys(LAYERS).filter((other) => other !== name && !imports.includes(other));
  const paths: Record<string, string | object> = {};
  for (const one of PACKAGES) {
    if (!packages.includes(one)) paths[one] = `src/${name} does without ${one} (lint/layers.ts).`;
  }
  const patterns = [
    {
      group: [...forbidden.map((other) => `**/${other}/**`), "**/src/{main,program}.ts", "../main.ts", "../program.ts"],
      message: DIRECTION,
    },
  ];
  if (!ITS_OWN_PATHS.has(name)) paths["node:path"] = BYTES;
  if (node === "pure") patterns.push({ group: ["node:*"], message: PURE });
  if (node === "synchronous") {
    for (const module of ASYNCHRONOUS_MODULES) paths[module] = SYNCHRONOUS;
    paths["node:crypto"] = HASHES;
    for (const [module, importNames] of Object.entries(ASYNCHRONOUS_NAMES)) {
      paths[module] = { importNames, message: SYNCHRONOUS };
    }
  }
  const globals = node === "all" ? [] : ASYNCHRONOUS_GLOBALS.map((one) => [one, SYNCHRONOUS]);
  return {
    includes: [`src/${name}/**`],
    linter: {
      rules: {
        style: {
          noRestrictedImports: { level: "error", options: { paths, patterns } },
          noRestrictedGlobals: {
            level: "error",
            options: { deniedGlobals: { ...GLOBALS, ...Object.fromEntries(globals) } },
          },
        },
      },
    },
  };
}

/** Files that may import each other: the table of commands loads a command when it is called, and this one shows the table. */
const CIRCLE = ["src/cli/commands.ts", "src/cli/completion.ts", "src/cli/commands/completion.ts"];

/** What biome gets. */
export function configuration(): object {
  const layers = Object.entries(LAYERS).map(([name, layer]) => override(name, layer));
  return {
    // Here and not a layer's: biome looks at how files hang together only where a rule for all of them asks for it.
    linter: { rules: { suspicious: { noImportCycles: "error" } } },
    overrides: [...layers, { includes: CIRCLE, linter: { rules: { suspicious: { noImportCycles: "off" } } } }],
  };
}

if (import.meta.main) {
  writeFileSync(new URL("layers.json", import.meta.url), `${JSON.stringify(configuration(), null, 2)}\n`);
}
