/**
 * Makes all packages of an installed tree: `release.ts <tree> <metafile> <output directory>`. The tree is what `make install` puts below its
 * PREFIX. The time in the files is `$SOURCE_DATE_EPOCH`.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Bom, billOfMaterials, type Cpu, licenseTexts } from "./components.ts";
import { debianPackage } from "./debian.ts";
import { npmPackages } from "./npm.ts";
import { filesOf, packTar, put, sha256, sizeOf } from "./tree.ts";

export interface Release {
  project: string;
  /** What is installed: `bin`, `lib`, `share`. */
  stage: string;
  output: string;
  /** For trees in the making. */
  work: string;
  version: string;
  cpu: Cpu;
  /** Seconds since 1970. */
  time: number;
  bom: Bom;
  /** The texts of the licences of what is bundled. */
  licenses: string;
}

/** @returns the names of the files in `output` */
export function makeRelease(project: string, stage: string, metafile: string, output: string, time: number): string[] {
  const cpu: Cpu = process.arch === "arm64" ? "arm64" : "x64";
  const { version } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { version: string };
  const bom = billOfMaterials({ project, metafile, cpu, time });
  const licenses = licenseTexts(project, bom);
  const work = join(output, "work");
  rmSync(output, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const release: Release = { project, stage, output, work, version, cpu, time, bom, licenses };
  put(join(output, "sbom.cdx.json"), `${JSON.stringify(bom, null, 2)}\n`);
  const files = ["sbom.cdx.json", debianPackage(release), archive(release), ...npmPackages(release)].sort();
  rmSync(work, { recursive: true });
  put(join(output, "SHA256SUMS"), files.map((file) => `${sha256(join(output, file))}  ${file}\n`).join(""));
  return [...files, "SHA256SUMS"];
}

/** An archive whose one directory goes below any prefix. */
function archive({ project, stage, output, work, version, cpu, time, bom, licenses }: Release): string {
  const name = `tsrunc-${version}-linux-${cpu}`;
  const root = join(work, name);
  cpSync(stage, root, { recursive: true, verbatimSymlinks: true });
  const documents = join(root, "share/doc/tsrunc");
  for (const file of ["LICENSE", "README.md"]) put(join(documents, file), readFileSync(join(project, file)));
  put(join(documents, "THIRD-PARTY-LICENSES"), licenses);
  put(join(documents, "sbom.cdx.json"), `${JSON.stringify(bom, null, 2)}\n`);
  for (const file of filesOf(join(project, "package/examples"))) {
    put(join(documents, "examples", file), readFileSync(join(project, "package/examples", file)));
  }
  packTar(join(output, `${name}.tar.gz`), work, name, time);
  rmSync(root, { recursive: true });
  return `${name}.tar.gz`;
}

if (import.meta.main) {
  const [stage, metafile, output] = process.argv.slice(2).map((path) => resolve(path));
  const time = Number(process.env["SOURCE_DATE_EPOCH"] ?? "0");
  if (stage === undefined || metafile === undefined || output === undefined || !Number.isSafeInteger(time)) {
    process.stderr.write("usage: release.ts <tree> <metafile> <output directory>\n");
    process.exit(2);
  }
  try {
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
    const files = makeRelease(resolve(import.meta.dirname, ".."), stage, metafile, output, time);
    for (const file of files)
      console.log(`package: ${join(output, file)}, ${megabytes(statSync(join(output, file)).size)}`);
    console.log(`package: installed: ${megabytes(sizeOf(stage))}`);
  } catch (error) {
    process.stderr.write(`release.ts: ${(error as Error).message}\n`);
    process.exit(1);
  }
}
