/** What tests of builds share: a base image of the static busybox, contexts, and trees as lists. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { whyNotPrivileged } from "../../support/privileges.ts";
import { linkApplets } from "../../support/rootfs.ts";

/** A file of a context: its content, a link's target, or an archive, by tar's letter for its compression. */
export type FileSpec = string | { content: string; mode: number } | { link: string } | { archive: string };
export type Files = Readonly<Record<string, FileSpec>>;

const TSRUNC = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");
const BUSYBOX = resolve("build/busybox");

/** Why these tests cannot run here; `null` when they can. */
export function whyNotBuild(): string | null {
  return (
    whyNotPrivileged() ??
    (existsSync(TSRUNC) ? (existsSync(BUSYBOX) ? null : "build/busybox is not there") : `${TSRUNC} is not there`)
  );
}

/** Whether buildah is here to compare with. */
export function whyNotBuildah(): string | null {
  return (
    whyNotBuild() ??
    ["buildah", "podman"]
      .map((name) => (spawnSync(name, ["--version"]).status === 0 ? null : `${name} is not installed`))
      .find((why) => why !== null) ??
    null
  );
}

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A store of images with a base image, and what is built with it. Removed at the end of its block. */
export class Builder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tsrunc-build-"));
  #last = 0;

  constructor() {
    const root = this.at("base");
    for (const name of ["bin", "dev", "etc", "home", "opt", "proc", "sys", "usr/local/bin", "usr/share", "var"])
      mkdirSync(join(root, name), { recursive: true });
    mkdirSync(join(root, "tmp"));
    chmodSync(join(root, "tmp"), 0o1777);
    cpSync(BUSYBOX, join(root, "bin/busybox"));
    linkApplets(BUSYBOX, join(root, "bin"));
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "root:x:0:\nstaff:x:50:\napp:x:1000:\n");
    for (const name of ["hosts", "resolv.conf"]) writeFileSync(join(root, "etc", name), "");
    this.must(
      "import",
      "--change",
      'CMD ["/bin/sh"]',
      "--change",
      "ENV PATH=/usr/local/bin:/bin",
      root,
      "localhost/base:1",
    );
    this.must("tag", "localhost/base:1", "base:1");
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** `tsrunc image …` */
  image(
    command: string,
    args: readonly string[],
    options: { input?: string | Buffer; env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ): Ran {
    const result = spawnSync(
      TSRUNC,
      ["--root", this.at("run"), "image", command, "--store", this.at("store"), ...args],
      {
        encoding: "utf8",
        env: process.env,
        ...options,
      },
    );
    return { code: result.status, stdout: result.stdout, stderr: result.stderr.replaceAll('\\"', '"') };
  }

  must(command: string, ...args: string[]): string {
    const { code, stdout, stderr } = this.image(command, args);
    if (code !== 0) throw new Error(`image ${command} ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** A new context. */
  context(files: Files): string {
    const path = this.at(`context${++this.#last}`);
    mkdirSync(path);
    writeFiles(path, files);
    return path;
  }

  /** Builds a Dockerfile with the files of its context. */
  build(dockerfile: string, files: Files = {}, ...args: string[]): Ran {
    return this.image("build", [...args, this.context({ Dockerfile: dockerfile, ...files })]);
  }

  /** Builds, and lists the tree of what comes out. */
  tree(dockerfile: string, files: Files = {}, ...args: string[]): string[] {
    const output = this.at(`out${++this.#last}`);
    const { code, stderr } = this.build(dockerfile, files, "--output", output, ...args);
    if (code !== 0) throw new Error(stderr);
    return listing(output);
  }

  // biome-ignore lint/suspicious/noExplicitAny: what `image inspect` prints.
  inspect(name: string): any {
    return JSON.parse(this.must("inspect", name))[0];
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function writeFiles(root: string, files: Files): void {
  for (const [name, spec] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    if (typeof spec === "string") writeFileSync(path, spec);
    else if ("link" in spec) symlinkSync(spec.link, path);
    else if ("archive" in spec) writeArchive(path, spec.archive);
    else {
      writeFileSync(path, spec.content);
      chmodSync(path, spec.mode);
    }
  }
}

/** An archive with a few files of different owners and permissions. */
function writeArchive(path: string, letter: string): void {
  const directory = mkdtempSync(join(tmpdir(), "tsrunc-archive-"));
  writeFiles(directory, { "f.txt": "f\n", "sub/g": { content: "g\n", mode: 0o600 }, "sub/l": { link: "g" } });
  const args = [
    "--owner=5",
    "--group=6",
    "--mtime=@1600000000",
    "--sort=name",
    "-c",
    ...(letter === "" ? [] : [`-${letter}`]),
    "-f",
    path,
    "-C",
    directory,
    "f.txt",
    "sub",
  ];
  execFileSync("tar", args);
  rmSync(directory, { recursive: true });
}

/** Every path with its type, permissions, owner, content or target, and links; the root directory itself is left out. */
export function listing(root: string): string[] {
  const inodes = new Map<bigint, string>();
  const visit = (path: string): string[] => {
    const stat = lstatSync(join(root, path), { bigint: true });
    const first = stat.isDirectory() ? undefined : inodes.get(stat.ino);
    inodes.set(stat.ino, first ?? path);
    const what = stat.isDirectory()
      ? "directory"
      : stat.isSymbolicLink()
        ? `-> ${readlinkSync(join(root, path))}`
        : stat.isFile()
          ? stat.size > 1000n
            ? `${stat.size} bytes`
            : JSON.stringify(readFileSync(join(root, path), "utf8"))
          : `node ${(stat.mode & 0o170000n).toString(8)}`;
    const mode = stat.isSymbolicLink() ? "" : (stat.mode & 0o7777n).toString(8);
    const line = `${path}: ${mode} ${stat.uid}:${stat.gid} ${what}${first === undefined ? "" : ` = ${first}`}`;
    return [line, ...(stat.isDirectory() ? below(path) : [])];
  };
  const below = (path: string): string[] =>
    readdirSync(join(root, path))
      .sort()
      .flatMap((name) => visit(path === "" ? name : `${path}/${name}`));
  return below("").filter((line) => !line.startsWith("bin/"));
}
