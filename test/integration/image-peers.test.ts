/** Images that others made, unpacked by us and by umoci: the same trees, entry by entry. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { Scratch } from "../image/support.ts";
import { whyNotPrivileged } from "../support/privileges.ts";

const TSRUNC = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");

function lacks(...programs: string[]): boolean {
  return programs.some((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
}

const run = (command: string, args: string[]) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Everything of a tree but the times of directories that no layer names. */
function tree(root: string, ignoreTimes: ReadonlySet<string> = new Set()): string[] {
  const inodes = new Map<bigint, string>();
  const lines: string[] = [];
  const visit = (path: string) => {
    const full = join(root, path);
    const stat = lstatSync(full, { bigint: true });
    const first = stat.isDirectory() ? undefined : inodes.get(stat.ino);
    if (first === undefined) inodes.set(stat.ino, path);
    const content = stat.isFile()
      ? createHash("sha256").update(readFileSync(full)).digest("hex")
      : stat.isSymbolicLink()
        ? readlinkSync(full)
        : "";
    const time = ignoreTimes.has(path) ? "" : stat.mtimeNs;
    lines.push(
      [path, stat.mode.toString(8), `${stat.uid}:${stat.gid}`, time, stat.rdev, content, first ?? ""].join(" "),
    );
    if (stat.isDirectory()) for (const name of readdirSync(full).sort()) visit(path === "" ? name : `${path}/${name}`);
  };
  visit("");
  const xattrs = spawnSync("getfattr", ["-R", "-h", "-d", "-m", "-", "."], { cwd: root, encoding: "utf8" }).stdout;
  // umoci keeps notes of its own on files whose owner it could not set; there are none as root.
  return [
    ...lines,
    ...xattrs
      .split("\n\n")
      .filter((text) => text.trim() !== "")
      .sort(),
  ];
}

/** Each step changes the tree of the layer before: a layer each. */
const IMAGES: Record<string, string[]> = {
  "one layer": [
    "mkdir -p a/b; echo x > a/b/c; chmod 4755 a/b/c; chown 12:34 a/b/c; ln -s ../../x l; mkfifo p; mknod n c 1 3; ln a/b/c h",
  ],
  deletions: [
    "mkdir -p d/e; echo 1 > d/1; echo 2 > d/2; echo 3 > d/e/3; echo 4 > f",
    "rm d/1; rm -r d/e",
    "rm f; echo new > d/1",
  ],
  "a directory made anew": ["mkdir d; echo 1 > d/1; echo 2 > d/2", "rm -r d; mkdir d; echo 3 > d/3; chmod 700 d"],
  "hard links over layers": ["echo x > a; ln a b", "ln a c; mkdir s; ln b s/d", "rm a"],
  "xattrs and capabilities": [
    "echo x > a; setfattr -n user.k -v v a; setfattr -n trusted.t -v 0x00ff a; cp a b; setcap cap_net_raw+ep b; mkdir d; setfattr -n user.d -v 1 d",
    "setfattr -n user.k -v w a; chown 5:6 b; setcap cap_chown=p b",
  ],
  "types that change": [
    "mkdir d; echo x > d/x; echo f > f; ln -s f l",
    "rm -r d; echo file > d; rm f; mkdir f; rm l; mkfifo l",
    "rm d; ln -s f d",
  ],
  "twenty layers": Array.from(
    { length: 20 },
    (_, index) =>
      `mkdir -p d; echo ${index} > d/${index}; echo ${index} > same; [ ${index} -lt 3 ] || rm d/$((${index} - 3))`,
  ),
  "odd names and times": [
    "touch -d 1960-01-01T00:00:00Z old; touch -d 2099-12-31T23:59:59.987654321Z late; : > $(printf 'a\\nb'); : > $(printf '%0.s_' $(seq 1 200)); : > é; chown 3000000:4000000 late",
  ],
};

const cannot = whyNotPrivileged() !== null || lacks("umoci", "skopeo", "getfattr", "setcap") || !existsSync(TSRUNC);

describe.skipIf(cannot)("an image that umoci made", () => {
  test.each(Object.entries(IMAGES))(
    "of %s comes out as umoci unpacks it, mounted and copied",
    { timeout: 300_000 },
    (_, steps) => {
      using scratch = new Scratch();
      const layout = scratch.at("layout");
      run("umoci", ["init", "--layout", layout]);
      run("umoci", ["new", "--image", `${layout}:x`]);
      steps.forEach((script, index) => {
        const bundle = scratch.at(`made${index}`);
        run("umoci", ["unpack", "--image", `${layout}:x`, bundle]);
        execFileSync("sh", ["-ec", script], { cwd: join(bundle, "rootfs") });
        run("umoci", ["repack", "--image", `${layout}:x`, bundle]);
      });
      compare(scratch, layout, "x");
      // The same layers as Docker has them: plain archives, types of its own.
      compare(scratch, layout, "x", "docker-archive");
    },
  );
});

/** @param form of the archive in which the image comes into the store */
function compare(
  scratch: Scratch,
  layout: string,
  tag: string,
  form: "oci-archive" | "docker-archive" = "oci-archive",
): void {
  const name = `c${readdirSync(scratch.path).length}`;
  const store = scratch.at(`store-${name}`);
  run("umoci", ["unpack", "--image", `${layout}:${tag}`, scratch.at(`umoci-${name}`)]);
  run("skopeo", ["copy", "-q", `oci:${layout}:${tag}`, `${form}:${scratch.at(`${name}.tar`)}:localhost/x:${tag}`]);
  run(TSRUNC, ["image", "load", "-q", "--store", store, scratch.at(`${name}.tar`)]);
  const expected = tree(scratch.at(`umoci-${name}/rootfs`), new Set([""]));
  for (const option of [[], ["--copy"]]) {
    const bundle = scratch.at(`ours-${name}${option.join("")}`);
    run(TSRUNC, ["image", "bundle", "-q", "--store", store, ...option, `localhost/x:${tag}`, bundle, "/bin/true"]);
    try {
      expect(tree(join(bundle, "rootfs"), new Set([""]))).toEqual(expected);
    } finally {
      run(TSRUNC, ["image", "unbundle", bundle]);
    }
  }
}
