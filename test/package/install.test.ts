/** `make install` and `make uninstall`, as docs/install.md has them, where `/usr/local` is an empty directory of the test's own. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { examples } from "../support/examples.ts";

const PAGE = "docs/install.md";
const FILE = "test/package/install.test.ts";
const [build = "", safe = ""] = examples()
  .filter(({ page, mark }) => page === PAGE && mark === `run="${FILE}"`)
  .map(({ text }) => text);

const reason =
  process.geteuid?.() !== 0
    ? "needs root, to mount"
    : !["dist/tsrunc", "build/man/tsrunc.1"].every((path) => existsSync(path))
      ? "needs what make build and make build/man/tsrunc.1 make"
      : spawnSync("unshare", ["--mount", "true"]).status !== 0
        ? "needs unshare(1)"
        : null;

/** What stands between the installation and its end: the files, who owns them, and that all is found. */
const LOOK = `
cd / && find /usr/local ! -type d | sort && stat -c %A:%U /usr/local/lib/tsrunc && tsrunc --version && man=/usr/local/share/man/man1
[ -e $man/tsrunc-run.1 ] && . /usr/local/share/bash-completion/completions/tsrunc && complete -p tsrunc
cd - > /dev/null`;

test.skipIf(reason !== null)(
  `what is installed works, and is removed again (${reason ?? ""})`,
  () => {
    const installed = build.replace(
      "sudo make uninstall",
      `${LOOK}\n${safe}\nstat -c %A /usr/local/lib/tsrunc/tsrunc\nsudo make uninstall`,
    );
    const script = `mount -t tmpfs -o mode=755 tmpfs /usr/local && sudo() { "$@"; }\n${installed}\necho left:; find /usr/local ! -type d`;
    const { MAKEFLAGS: _, MAKELEVEL: __, ...rest } = process.env;
    const env = { ...rest, PATH: `/usr/local/bin:${rest["PATH"]}` };
    const { stdout, stderr, status } = spawnSync("unshare", ["--mount", "bash", "-euo", "pipefail", "-c", script], {
      ...{ encoding: "utf8", env, timeout: 600_000 },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const name of ["bin/tsrunc", "lib/tsrunc/tsrunc-engine", "lib/tsrunc/koffi.node", "share/man/man1/tsrunc.1"])
      expect(stdout).toMatch(new RegExp(`^/usr/local/${name}$`, "m"));
    expect(stdout).toMatch(/^drwxr-xr-x:root\ntsrunc version \d/m);
    expect(stdout).toMatch(/^complete .* tsrunc$/m);
    expect(stdout).toMatch(/^-rwxr-xr-x$/m);
    expect(stdout.split("left:\n")[1]).toBe("");
  },
  600_000,
);
