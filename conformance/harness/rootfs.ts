/** The root filesystem of the checks' containers: one static busybox, its links, and the probe. */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "./selection.ts";

/** Where a static busybox is found when none is given. */
const CANDIDATES = ["build/busybox", "/bin/busybox", "/usr/bin/busybox", "/bin/busybox-static"];

/** @throws {Error} when there is none */
export function findBusybox(): string {
  const given = process.env[VARIABLES.busybox];
  const found = given ?? CANDIDATES.find((path) => existsSync(path) && isStatic(path));
  if (found === undefined) throw new Error("no static busybox here: install busybox-static, or say --busybox PATH");
  return found;
}

function isStatic(path: string): boolean {
  try {
    return !/=>|ld-linux/.test(execFileSync("ldd", [path], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }));
  } catch {
    return true; // ldd fails for what is not dynamic.
  }
}

let applets: string[] | undefined;

/** Fills an empty directory. */
export function makeRootfs(directory: string): void {
  const busybox = findBusybox();
  for (const name of ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"]) mkdirSync(join(directory, name));
  chmodSync(join(directory, "tmp"), 0o1777);
  copyFileSync(busybox, join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  applets ??= execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
  // One inode for all names: an ext4 without a journal takes long to find so many.
  const link = join(directory, "bin/sh");
  symlinkSync("busybox", link);
  for (const applet of applets)
    if (applet !== "busybox" && applet !== "sh") linkSync(link, join(directory, "bin", applet));
  // A second name of the same file, for what must be told apart by path.
  linkSync(join(directory, "bin/busybox"), join(directory, "bin/program"));
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n");
  writeFileSync(join(directory, "etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n");
  chmodSync(directory, 0o755);
}
