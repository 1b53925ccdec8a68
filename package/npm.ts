/**
 * The npm packages: `tsrunc`, which everybody installs, with the library, and one with the executable for each processor, of which npm takes the one that
 * fits (`optionalDependencies`, `os`, `cpu`, `libc`). No install script is needed.
 */
import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Cpu } from "./components.ts";
import { EXPORTS, writeLibrary } from "./npm/library.ts";
import type { Release } from "./release.ts";
import { put } from "./tree.ts";

/** The processors that there are packages for. */
const CPUS: readonly Cpu[] = ["x64", "arm64"];

/** @returns the packages' file names */
export function npmPackages(release: Release): string[] {
  const { work, project, version, cpu, licenses, bom, stage } = release;
  const { description, license, engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
  const common = { version, description, license };

  const main = join(work, "npm/tsrunc");
  rmSync(main, { recursive: true, force: true });
  putJson(join(main, "package.json"), {
    name: "tsrunc",
    ...common,
    type: "module",
    bin: { tsrunc: "bin/tsrunc.js" },
    exports: EXPORTS,
    sideEffects: false,
    engines,
    os: ["linux"],
    // The declarations speak of Node's streams.
    peerDependencies: { "@types/node": ">=20" },
    peerDependenciesMeta: { "@types/node": { optional: true } },
    optionalDependencies: Object.fromEntries(CPUS.map((one) => [platformPackage(one), version])),
  });
  writeLibrary(project, main);
  put(join(main, "bin/tsrunc.js"), readFileSync(join(project, "package/npm/tsrunc.js")), 0o755);
  for (const name of ["README.md", "LICENSE"]) put(join(main, name), readFileSync(join(project, name)));

  const platform = join(work, `npm/linux-${cpu}`);
  rmSync(platform, { recursive: true, force: true });
  putJson(join(platform, "package.json"), {
    name: platformPackage(cpu),
    ...common,
    os: ["linux"],
    cpu: [cpu],
    libc: ["glibc"],
    // Yarn else keeps it zipped.
    preferUnplugged: true,
  });
  put(join(platform, "README.md"), "The executable of tsrunc, for one kind of processor. Install `tsrunc` instead.\n");
  put(join(platform, "LICENSE"), readFileSync(join(project, "LICENSE")));
  put(join(platform, "THIRD-PARTY-LICENSES"), licenses);
  putJson(join(platform, "sbom.cdx.json"), bom);
  cpSync(join(stage, "lib/tsrunc"), join(platform, "lib"), { recursive: true });

  return [main, platform].map((directory) => pack(release, directory));
}

function platformPackage(cpu: Cpu): string {
  return `@tsrunc/linux-${cpu}`;
}

/** npm gives all files one time, and root. */
function pack({ output }: Release, directory: string): string {
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", output, directory];
  const [packed] = JSON.parse(execFileSync("npm", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  rmSync(directory, { recursive: true });
  return packed.filename.replace("@", "").replace("/", "-");
}

function putJson(path: string, value: object): void {
  put(path, `${JSON.stringify(value, null, 2)}\n`);
}
