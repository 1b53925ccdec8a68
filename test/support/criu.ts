/** Which CRIU the tests of checkpoints use: the first that works on this kernel, by its own word. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** A CRIU by the `PATH` that leads to it, or why there is none. */
export type FoundCriu = { kind: "works"; path: string } | { kind: "none"; whyNot: string };

/** Where a newer one may have been put, by `test/support/criu.sh`. */
const BUILT = resolve("build/criu");

let found: FoundCriu | null = null;

export function findCriu(): FoundCriu {
  found ??= look();
  return found;
}

function look(): FoundCriu {
  if (process.geteuid?.() !== 0) return { kind: "none", whyNot: "needs root" };
  const { PATH = "" } = process.env;
  const reasons: string[] = [];
  for (const path of existsSync(BUILT) ? [`${BUILT}:${PATH}`, PATH] : [PATH]) {
    const reason = whyNot(path);
    if (reason === null) return { kind: "works", path };
    reasons.push(reason);
  }
  return { kind: "none", whyNot: reasons.join("; ") };
}

/** What `criu check` says against it. */
export function whyNot(path: string): string | null {
  const { status, stdout, stderr, error } = spawnSync("criu", ["check"], {
    env: { ...process.env, PATH: path },
    encoding: "utf8",
  });
  if (error !== undefined) return "needs criu";
  if (status === 0) return null;
  const lines = `${stdout}\n${stderr}`.split("\n");
  return `criu does not work here: ${lines.find((line) => line.startsWith("Error")) ?? lines.join(" ")}`;
}

/** Whether CRIU and the kernel have a feature, as `criu check --feature` calls it. */
export function hasFeature(path: string, feature: string): boolean {
  const { status } = spawnSync("criu", ["check", "--feature", feature], { env: { ...process.env, PATH: path } });
  return status === 0;
}
