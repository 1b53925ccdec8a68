/** Where the init of a container runs from: never from a file that the container could write to. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { cannotRun, hasProgram, runtime } from "./harness.ts";

const NOBODY = 65534;
const reason = cannotRun() ?? (hasProgram("setpriv") ? null : "needs setpriv");

test.skipIf(reason !== null)(
  `an ordinary user's init runs from a mount, not from a copy in memory (${reason ?? ""})`,
  () => {
    const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
    try {
      chmodSync(home, 0o755);
      cpSync(dirname(runtime), join(home, "dist"), { recursive: true });
      const bundle = join(home, "bundle");
      mkdirSync(join(bundle, "rootfs", "bin"), { recursive: true });
      writeFileSync(join(bundle, "rootfs", "bin", "sh"), "", { mode: 0o755 });
      for (const path of [bundle, join(bundle, "rootfs")]) chownSync(path, NOBODY, NOBODY);
      const script = `cd "$1" && t="$2/dist/tsrunc --root $1/state" && $t spec --rootless &&
      sed -i 's/"terminal": true/"terminal": false/' config.json && $t create c1 < /dev/null > out 2>&1 || exec cat out
      readlink /proc/$($t state c1 | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')/exe; $t delete --force c1`;
      const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
      const output = execFileSync("setpriv", [...user, "bash", "-c", script, "bash", bundle, home], {
        encoding: "utf8",
      });
      // A detached mount has no path.
      expect(output.trim()).toBe("/");
    } finally {
      rmSync(home, { recursive: true });
    }
  },
);
