/** Runs the examples of the documents, in the order of each page. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examples } from "../support/examples.ts";
import { whyNoCgroups, whyNotPrivileged } from "../support/privileges.ts";
import { patience, runtime } from "./harness.ts";

const runnable = examples().filter(({ mark }) => mark === "run" || mark === "terminal");
const busybox = resolve("build/busybox");
const reason = whyNotPrivileged() ?? (existsSync(busybox) ? null : "needs build/busybox");

/** Without what is another each time: digests, times, ages, sizes, directories, and the width of columns. */
function comparable(text: string, directory: string): string {
  return text
    .replaceAll(directory, "/home/me")
    .replace(/\btime="[^"]*"/g, 'time="…"')
    .replace(/\bsha256:[0-9a-f]{64}\b/g, "sha256:…")
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
"image import" | "image build" | "image run") shift 2; exec $tsrunc $group $command $QUIET --store ${work}/store "$@" ;;
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

  test.for(runnable)("$page, line $line", { timeout: 180_000 }, ({ page, text, output, mark }, { skip }) => {
    const whyNot = text.includes("tsrunc update") ? whyNoCgroups() : null;
    if (whyNot !== null) skip(whyNot);
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
    const env = {
      ...process.env,
      PATH: `${work}/bin:${process.env["PATH"]}`,
      // An example that shows what goes to stderr has progress, too.
      QUIET: text.includes(" 2>") ? "" : "--quiet",
    };
    const options = { cwd: directory, env, encoding: "utf8", timeout: 12_000 * patience } as const;
    if (mark === "terminal") {
      const terminal = [resolve("test/support/with-pty.py"), "24", "80", "echo $((6 * 7))\\nexit 5\\n"];
      const { status, stdout } = spawnSync(
        "python3",
        [...terminal, "/bin/bash", "-euc", `echo ready\n${text}`],
        options,
      );
      expect(stdout).toMatch(/^42\r$/m);
      expect(status).toBe(5);
      return;
    }
    const { status, stdout, stderr } = spawnSync("bash", ["-euo", "pipefail", "-c", local], options);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    if (output !== null) expect(comparable(stdout, directory)).toBe(comparable(output, directory));
    if (text.includes("run --explain") || text.includes("--explain box"))
      expect(stdout).toMatch(/^init +make the rootfs .* a mount of its own/m);
    if (text.includes("tsrunc state")) expect(stdout).toMatch(/"status": "created"/);
    if (text.includes("events --stats")) {
      expect(JSON.parse(stdout)).toMatchObject({
        type: "stats",
        data: { memory: { usage: { limit: 268_435_456 } }, pids: { limit: 100 } },
      });
    }
    if (text.includes("exec web ps")) expect(stdout).toContain("sleep 1000");
    if (page === "README.md" && text.includes("container logs")) expect(stdout).toMatch(/^built\nbuilt$/m);
    if (isCompletion) expect(stdout).toMatch(/^complete .* tsrunc$/m);
    if (page !== "README.md" || !text.includes("spec")) return;
    expect(JSON.parse(readFileSync(join(directory, "box/config.json"), "utf8"))).toHaveProperty("ociVersion");
  });
});
