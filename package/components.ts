/**
 * What is in the executable and is not ours: packages from npm, the engine, and of the C library what a snapshot holds of it.
 * The list is npm's own (`npm sbom`, from package-lock.json), cut down to what the bundler took.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Of CycloneDX 1.5, what is used here. */
export interface Component {
  "bom-ref": string;
  type: string;
  name: string;
  version: string;
  scope?: string;
  purl?: string;
  description?: string;
  hashes?: readonly { alg: string; content: string }[];
  licenses?: readonly { license?: { id?: string; name?: string }; expression?: string }[];
}

export interface Bom {
  serialNumber: string;
  metadata: { timestamp: string; component: Component; lifecycles: readonly { phase: string }[] };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
}

/** The machine that is built for, in the words of npm. */
export type Cpu = "x64" | "arm64";

export interface BuiltFrom {
  /** The project's directory. */
  project: string;
  /** What `bun build --metafile` wrote. */
  metafile: string;
  cpu: Cpu;
  /** Seconds since 1970. */
  time: number;
}

/** The names of packages of which the bundle has modules, and of those that are beside or around it. */
export function bundledPackages(metafile: unknown, cpu: Cpu): Set<string> {
  const { inputs } = metafile as { inputs: Readonly<Record<string, unknown>> };
  const names = Object.keys(inputs).flatMap((path) => {
    const [, name] = /^(?:node_modules|build)\/((?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    return name === undefined ? [] : [name];
  });
  const bun = cpu === "arm64" ? "@oven/bun-linux-aarch64" : "@oven/bun-linux-x64-baseline";
  return new Set([...names, "koffi", `@koromix/koffi-linux-${cpu}`, bun]);
}

/** The bill of materials, the same for the same sources. @throws where npm fails, or knows a bundled package not */
export function billOfMaterials({ project, metafile, cpu, time }: BuiltFrom): Bom {
  const args = ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only", "--omit", "dev"];
  const bom: Bom = JSON.parse(execFileSync("npm", args, { cwd: project, encoding: "utf8", maxBuffer: 2 ** 26 }));
  const bundled = bundledPackages(JSON.parse(readFileSync(metafile, "utf8")), cpu);
  const components = bom.components
    .filter(({ name }) => bundled.has(name))
    .map((component): Component => ({ ...component, scope: "required" }));
  const unknown = [...bundled].filter((name) => !components.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`package-lock.json has not: ${unknown.join(", ")}`);
  if (cpu === "x64") components.push(libc());
  const refs = new Set([bom.metadata.component["bom-ref"], ...components.map((one) => one["bom-ref"])]);
  const dependencies = bom.dependencies
    .filter(({ ref }) => refs.has(ref))
    .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((one) => refs.has(one)) }));
  const component = { ...bom.metadata.component, type: "application", name: "tsrunc" };
  const content = JSON.stringify([component, components]);
  return {
    ...bom,
    serialNumber: `urn:uuid:${uuidOf(content)}`,
    metadata: {
      ...bom.metadata,
      timestamp: new Date(time * 1000).toISOString(),
      component,
      lifecycles: [{ phase: "build" }],
    },
    components,
    dependencies,
  };
}

/** The C library of the machine that builds: a snapshot is memory of a process that had it loaded. */
function libc(): Component {
  // `glibc 2.36`: getconf(1), confstr(3).
  const version = execFileSync("getconf", ["GNU_LIBC_VERSION"], { encoding: "utf8" }).trim().split(" ")[1] ?? "";
  return {
    "bom-ref": `glibc@${version}`,
    type: "library",
    name: "glibc",
    version,
    scope: "required",
    purl: `pkg:generic/glibc@${version}`,
    description: "the builder's, in the snapshot of the started engine",
    licenses: [{ license: { id: "LGPL-2.1-or-later" } }],
  };
}

/** A UUID of version 8 made of a text: RFC 9562, section 5.8. */
function uuidOf(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** The licence of a component, as SPDX has it. */
export function licenseOf({ licenses = [] }: Component): string {
  return licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name ?? "").join(" AND ");
}

/** The texts of all licences in one: each package's own, where it has one, and else SPDX's. */
export function licenseTexts(project: string, { components }: Bom): string {
  const parts = components.map((component) => {
    const own = ownText(join(project, "node_modules", component.name));
    const text = own ?? standardText(project, licenseOf(component));
    return `${component.name} ${component.version} (${licenseOf(component)})\n\n${text.trim()}\n`;
  });
  const engine = join(project, "node_modules/bun-types/docs/project/license.mdx");
  const linked = [
    `What the engine, Bun, has linked to it, in Bun's words\n\n${readFileSync(engine, "utf8").trim()}\n`,
    // JavaScriptCore and tinycc.
    `LGPL-2.0\n\n${standardText(project, "LGPL-2.0-only")}\n`,
    `LGPL-2.1\n\n${standardText(project, "LGPL-2.1-only")}\n`,
  ];
  const head =
    "tsrunc is licensed under the Apache License 2.0. What is in its executable besides has these licences.\n";
  return [head, ...parts, ...linked].join(`\n${"-".repeat(100)}\n\n`);
}

function ownText(directory: string): string | null {
  if (!existsSync(directory)) return null;
  const file = readdirSync(directory)
    .sort()
    .find((name) => /^(licen[cs]e|copying)(\.|$)/i.test(name));
  return file === undefined ? null : readFileSync(join(directory, file), "utf8");
}

/** @param id of SPDX; of an expression its first licence */
function standardText(project: string, id: string): string {
  const [first = ""] = id.split(/ (?:OR|AND) /);
  const file = join(project, "node_modules/spdx-license-list/licenses", `${first}.json`);
  const { licenseText } = JSON.parse(readFileSync(file, "utf8")) as { licenseText: string };
  return licenseText.trim();
}
