/** Runs the examples of the documents that tell how to begin, in the order of each page. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examples } from "../support/examples.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { runtime } from "./harness.ts";

const runnable = examples().filter(({ mark }) => mark === "run");
const busybox = resolve("build/busybox");
const reason = whyNotPrivileged() ?? (existsSync(busybox) ? null : "needs build/busybox");

/** Without what is another each time: digests, ages, sizes, and the width of columns. */
function comparable(text: string): string {
  return text
    .replace(/\b[0-9a-f]{12,64}\b/g, "…")
    .replace(/\b\d+ (second|minute)s? ago/g, "… ago")
    .replace(/\b[\d.]+ (B|kB|MB)\b/g, "… bytes")
    .replace(/ +/g, " ")
    .replace(/ $/gm, "");
}

describe.skipIf(reason !== null)(`examples (${reason ?? ""})`, () => {
  let work: string;
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "tsrunc-docs-"));
    // The names that the pages use, for what is to be tested.
    mkdirSync(join(work, "bin"));
    // In a store of its own, and without progress: an example has nothing on stderr.
    const shim = `#!/bin/sh
tsrunc="${resolve(runtime)} --root ${work}/state"
group=$1 command=$2
case "$group $command" in
"image import" | "image build" | "image run") shift 2; exec $tsrunc $group $command --quiet --store ${work}/store "$@" ;;
"image unbundle") shift 2; exec $tsrunc $group $command "$@" ;;
"image "* | "container "* | "volume "*) shift 2; exec $tsrunc $group $command --store ${work}/store "$@" ;;
esac
exec $tsrunc "$@"
`;
    writeFileSync(join(work, "bin/tsrunc"), shim, { mode: 0o755 });
    writeFileSync(join(work, "bin/sudo"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
  });
  afterAll(() => {
    spawnSync(join(work, "bin/tsrunc"), ["container", "rm", "--force", "web"]);
    spawnSync(join(work, "bin/tsrunc"), ["delete", "--force", "web"]);
    rmSync(work, { recursive: true, force: true });
  });

  test.each(runnable)("$page, line $line", ({ page, text, output }) => {
    const directory = join(work, page.replaceAll("/", "-"));
    if (!existsSync(directory)) {
      mkdirSync(directory);
      // What the README makes itself, and the other pages presuppose.
      const rootfs = `mkdir -p box/rootfs/bin && cp '${busybox}' box/rootfs/bin/busybox && for one in sh sleep ps cat id; do ln -s busybox box/rootfs/bin/$one; done`;
      if (page !== "README.md") expect(spawnSync("sh", ["-c", rootfs], { cwd: directory }).status).toBe(0);
    }
    const isCompletion = text.includes("completion bash");
    const local =
      text.replaceAll("/bin/busybox box", `'${busybox}' box`) + (isCompletion ? "complete -p tsrunc\n" : "");
    const env = { ...process.env, PATH: `${work}/bin:${process.env["PATH"]}` };
    const { status, stdout, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", local], {
      cwd: directory,
      env,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    if (output !== null) expect(comparable(stdout)).toBe(comparable(output));
    if (text.includes("--explain")) expect(stdout).toMatch(/^init +make the rootfs .* a mount of its own/m);
    if (text.includes("tsrunc state")) expect(stdout).toMatch(/"status": "created"/);
    if (text.includes("exec web ps")) expect(stdout).toContain("sleep 1000");
    if (text.includes("container logs")) expect(stdout).toMatch(/^built\nbuilt$/m);
    if (isCompletion) expect(stdout).toMatch(/^complete .* tsrunc$/m);
    if (page !== "README.md" || !text.includes("spec")) return;
    expect(JSON.parse(readFileSync(join(directory, "box/config.json"), "utf8"))).toHaveProperty("ociVersion");
  });
});
