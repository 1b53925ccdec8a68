/** The bundles that a benchmark runs. */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { baseConfig } from "../test/support/config.ts";
import { makeRootfs } from "../test/support/rootfs.ts";

/** Where engines' bundles are kept, beside this repository. */
const SHARED = "../shared/bundles";

/** A bundle on the disk. */
export interface BenchBundle {
  name: string;
  path: string;
}

/**
 * The least that is still a container: five namespaces, `/proc`, and one static program.
 * @param args what it runs
 */
export function minimalBundle(directory: string, name: string, args: string[]): BenchBundle {
  const path = join(directory, name);
  const config = baseConfig(args);
  config.mounts = [{ destination: "/proc", type: "proc", source: "proc" }];
  config.linux.maskedPaths = [];
  config.linux.readonlyPaths = [];
  mkdirSync(join(path, "rootfs"), { recursive: true });
  makeRootfs(join(path, "rootfs"));
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return { name, path };
}

/** Copies of engines' bundles, which run `/bin/true`; none where there are none. */
export function engineBundles(directory: string): BenchBundle[] {
  if (!existsSync(SHARED)) return [];
  return readdirSync(SHARED).map((name) => {
    const path = join(directory, name);
    cpSync(join(SHARED, name), path, { recursive: true });
    mkdirSync(join(path, "rootfs"), { recursive: true });
    makeRootfs(join(path, "rootfs"));
    return { name, path };
  });
}
