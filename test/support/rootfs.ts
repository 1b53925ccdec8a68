/** The root filesystem of the tests' and the benchmark's containers: one static busybox and its links. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A static busybox: `$BUSYBOX`, the one that `make build/busybox` found, or the host's. `null` when there is none. */
export function findBusybox(): string | null {
  const candidates = [process.env.BUSYBOX, "build/busybox", "/bin/busybox"];
  return candidates.find((path) => path !== undefined && path !== "" && existsSync(path)) ?? null;
}

let applets: string[] | undefined;

/**
 * Gives the busybox of a directory all its names. They are of one symlink, an inode for four hundred: on an ext4 without a journal making
 * that many takes longer than most tests.
 */
export function linkApplets(busybox: string, directory: string): void {
  applets ??= execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
  const link = join(directory, "sh");
  symlinkSync("busybox", link);
  for (const applet of applets) if (!["busybox", "sh"].includes(applet)) linkSync(link, join(directory, applet));
}

/**
 * Fills a directory with a root filesystem.
 * @throws {Error} when there is no busybox
 */
export function makeRootfs(directory: string): void {
  const busybox = findBusybox();
  if (busybox === null) throw new Error("no static busybox: make build/busybox, or set BUSYBOX");
  for (const name of ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  chmodSync(directory, 0o755);
  chmodSync(join(directory, "tmp"), 0o1777);
  copyFileSync(busybox, join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  linkApplets(busybox, join(directory, "bin"));
  writeFileSync(
    join(directory, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
  );
  writeFileSync(join(directory, "etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n");
}
