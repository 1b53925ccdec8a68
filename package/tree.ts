/** Directories as they are to be packed, and the commands that pack them: the same bytes for the same tree. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

/** Writes a file below directories that need not be there. */
export function put(path: string, content: string | Uint8Array, mode = 0o644): void {
  makeDirectories(dirname(path));
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** Directories that everybody may enter, whatever the umask. */
export function makeDirectories(path: string): void {
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  for (let one = path; one.length >= first.length; one = dirname(one)) chmodSync(one, 0o755);
}

/** Everything in a directory, sorted, without the directory itself. */
export function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

/** The sum of the files' sizes, in bytes. */
export function sizeOf(directory: string): number {
  return filesOf(directory)
    .map((file) => lstatSync(join(directory, file)))
    .reduce((sum, status) => sum + (status.isDirectory() ? 0 : status.size), 0);
}

/** A file that has its name when it is whole: what is interrupted leaves no half one that looks like a package. */
export function whole(path: string, write: (file: string) => void): void {
  const part = `${path}.part`;
  write(part);
  renameSync(part, path);
}

/** A tar archive by gzip, with root's files of one time. @param name of the directory in `parent` */
export function packTar(archive: string, parent: string, name: string, time: number): void {
  const tar = ["--sort=name", "--format=gnu", "--owner=0", "--group=0", "--numeric-owner", `--mtime=@${time}`];
  whole(archive, (file) =>
    execFileSync("tar", [...tar, "--use-compress-program=gzip -n", "-cf", file, "-C", parent, name]),
  );
}

/** A file's SHA-256, in hexadecimal digits. */
export function sha256(path: string): string {
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  const part = Buffer.alloc(2 ** 20);
  for (let count = readSync(file, part); count > 0; count = readSync(file, part)) hash.update(part.subarray(0, count));
  closeSync(file);
  return hash.digest("hex");
}
