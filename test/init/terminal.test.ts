import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { buildProgram, ONE_THREAD } from "../support/program.ts";

const [bun, program] = buildProgram("test/runtime/foreground-program.ts") as [string, string];

/** Why no mount namespace with a /dev of its own can be made here, or `null`. */
function whyNoMounts(): string | null {
  const { status, stderr } = spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"], { encoding: "utf8" });
  return status === 0 ? null : `no mount namespace can be made: ${stderr.trim()}`;
}

const noMounts = whyNoMounts();

/**
 * Runs `script` on a terminal in a mount namespace, with a /dev of its own that holds a devpts, `null`, `tty` and what
 * `prepare` (a shell script, in the directory that becomes /dev) puts there.
 */
function onTerminal(how: "pty" | "console", prepare: string, script: string, environment = {}) {
  const setUp = `set -e
    mount -t tmpfs none /mnt; cd /mnt; mkdir pts; touch null tty
    mount --bind /dev/null null; mount --bind /dev/tty tty
    mount -t devpts -o newinstance,ptmxmode=0666 none pts
    ${prepare}
    mount --rbind /mnt /dev; cd "$OLDPWD"
    exec "$@"`;
  const args = [
    "-m",
    "--propagation",
    "private",
    "/bin/sh",
    "-c",
    setUp,
    "sh",
    bun,
    program,
    how,
    "/bin/sh",
    "-c",
    script,
  ];
  const options = { encoding: "utf8", env: { ...process.env, ...ONE_THREAD, ...environment }, input: "" } as const;
  const { status, stdout, stderr } = spawnSync("unshare", args, options);
  return { status, stdout, stderr };
}

describe.skipIf(noMounts !== null)(`the terminal's step${noMounts ? ` (skipped: ${noMounts})` : ""}`, () => {
  test("takes the terminal from the container's devpts", () => {
    const { stdout, status } = onTerminal("pty", "", "tty; stat -c '%t' /dev/pts/0");
    expect({ stdout, status }).toEqual({ stdout: "/dev/pts/0\n88\n", status: 0 });
  });

  test("binds it on /dev/console, which it makes where there is none", () => {
    const { stdout } = onTerminal("console", "", "stat -c '%t:%T' /dev/console; echo console >/dev/console");
    expect(stdout).toBe("88:0\nconsole\n");
  });

  test("binds it on a /dev/console that is there already", () => {
    expect(onTerminal("console", "touch console", "stat -c '%t:%T' /dev/console").stdout).toBe("88:0\n");
  });

  test("binds it where there is no /proc", () => {
    const script = "stat -c '%t:%T' /dev/console; ls /proc";
    expect(onTerminal("console", "", script, { HIDE_PROC: "1" }).stdout).toBe("88:0\n");
  });

  test("leaves /dev/console alone unless told otherwise", () => {
    expect(onTerminal("pty", "echo old >console", "cat /dev/console").stdout).toBe("old\n");
  });

  test("does not mount it where a symbolic link at /dev/console leads", () => {
    const { status, stderr } = onTerminal("console", "touch victim; ln -s victim console", "cat /dev/victim");
    expect(stderr).toContain("/dev/console is a symbolic link");
    expect(status).toBe(126);
  });

  test("takes no terminal from what only looks like a devpts", () => {
    const { stderr } = onTerminal("pty", "umount pts; mount --bind /dev/ptmx null; mknod pts/ptmx c 5 2", "tty");
    expect(stderr).toContain("/dev/pts is not on a devpts");
  });

  test("takes no terminal from a file mounted over the multiplexer", () => {
    const { stderr } = onTerminal("pty", "mount --bind null pts/ptmx", "tty");
    expect(stderr).toContain("open /dev/pts/ptmx: EXDEV");
  });

  test("takes no terminal through a link in place of the directory", () => {
    const { stderr } = onTerminal("pty", "umount pts; rmdir pts; mkdir other; ln -s other pts", "tty");
    expect(stderr).toContain("/dev/pts is not on a devpts");
  });
});
