/** Images that others made, unpacked by us, by umoci and by podman: the same trees, entry by entry. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { Scratch } from "../image/support.ts";
import { BOOKWORM, DEBIAN_TIMEOUT, debianArchive, whyNoDebian } from "../support/debian.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { type TarSpec, tar } from "../support/tar-writer.ts";

const TSRUNC = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");

function lacks(...programs: string[]): boolean {
  return programs.some((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0);
}

const run = (command: string, args: string[], cwd = process.cwd()) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Of what the trees are compared. */
const COMPARED = {
  /** All but the times of the root directory, which no layer of these names. */
  umoci: { rootMode: true, directoryTimes: true, before1970: true },
  /**
   * containers/storage gives a root directory that no layer names permissions of its own, and a directory that a layer goes through without
   * naming it the time of the unpacking; ours keep those of the layers below. And it knows no time before 1970.
   */
  podman: { rootMode: false, directoryTimes: false, before1970: false },
} as const;

/** Everything of a tree that counts. */
function tree(
  root: string,
  { rootMode, directoryTimes, before1970 }: (typeof COMPARED)[keyof typeof COMPARED],
): string[] {
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
    const modified = before1970 || stat.mtimeNs > 0n ? stat.mtimeNs : 0n;
    const time = path === "" || (stat.isDirectory() && !directoryTimes) ? "" : modified;
    const mode = path === "" && !rootMode ? "" : stat.mode.toString(8);
    lines.push([path, mode, `${stat.uid}:${stat.gid}`, time, stat.rdev, content, first ?? ""].join(" "));
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
const hasPodman = !lacks("podman");
const hasBuildah = !lacks("buildah");

/** Makes an image with umoci, a layer each step. @returns its OCI layout, where its tag is `x` */
function madeByUmoci(scratch: Scratch, steps: readonly string[]): string {
  const layout = scratch.at("layout");
  run("umoci", ["init", "--layout", layout]);
  run("umoci", ["new", "--image", `${layout}:x`]);
  steps.forEach((script, index) => {
    const bundle = scratch.at(`made${index}`);
    run("umoci", ["unpack", "--image", `${layout}:x`, bundle]);
    execFileSync("sh", ["-ec", script], { cwd: join(bundle, "rootfs") });
    run("umoci", ["repack", "--image", `${layout}:x`, bundle]);
    rmSync(bundle, { recursive: true });
  });
  return layout;
}

/** Calls a tool of containers/storage with a store of its own, which is emptied in the end. */
function storage(scratch: Scratch) {
  const global = [
    "--root",
    scratch.at("storage"),
    "--runroot",
    scratch.at("storage-run"),
    "--storage-driver",
    "overlay",
  ];
  const call = (tool: "podman" | "buildah", ...args: string[]) => run(tool, [...global, ...args], scratch.path).trim();
  const empty = () => {
    for (const tool of ["buildah", "podman"] as const) {
      if (lacks(tool)) continue;
      if (tool === "buildah") spawnSync(tool, [...global, "rm", "--all"]);
      spawnSync(tool, [
        ...global,
        tool === "podman" ? "image" : "umount",
        ...(tool === "podman" ? ["umount"] : []),
        "--all",
      ]);
      spawnSync(tool, [...global, "rmi", "--all", "--force"]);
    }
  };
  return Object.assign(call, { [Symbol.dispose]: empty });
}

/** Makes an image with buildah, which finds out by itself what each step changed. */
function madeByBuildah(scratch: Scratch, steps: readonly string[]): string {
  const layout = scratch.at("layout");
  using call = storage(scratch);
  let from = "scratch";
  for (const [index, script] of steps.entries()) {
    const container = call("buildah", "from", from);
    execFileSync("sh", ["-ec", script], { cwd: call("buildah", "mount", container) });
    from = `localhost/made:${index}`;
    call("buildah", "commit", "-q", "--rm", container, from);
  }
  call("buildah", "push", "-q", from, `oci:${layout}:x`);
  return layout;
}

describe.skipIf(cannot)("an image that umoci made", () => {
  test.each(Object.entries(IMAGES))("of %s comes out as from umoci and podman", { timeout: 300_000 }, (_, steps) => {
    using scratch = new Scratch();
    const layout = madeByUmoci(scratch, steps);
    compare(scratch, layout);
    // The same layers as Docker has them: plain archives, types of its own.
    compare(scratch, layout, "docker-archive");
    // And by zstd, as skopeo packs it.
    run("skopeo", ["copy", "-q", "--dest-compress-format", "zstd", `oci:${layout}:x`, `oci:${scratch.at("zstd")}:x`]);
    const types = run("skopeo", ["inspect", "--raw", `oci:${scratch.at("zstd")}:x`]);
    expect(types).toContain("tar+zstd");
    compare(scratch, scratch.at("zstd"), "oci-archive", false);
  });
});

describe.skipIf(cannot || !hasBuildah)("an image that buildah made", () => {
  test.each(Object.entries(IMAGES))("of %s comes out as from umoci and podman", { timeout: 300_000 }, (_, steps) => {
    using scratch = new Scratch();
    compare(scratch, madeByBuildah(scratch, steps));
  });
});

const dir = (name: string, more: Partial<TarSpec> = {}): TarSpec => ({ name, type: "5", ...more });
const file = (name: string, content = name, more: Partial<TarSpec> = {}): TarSpec => ({ name, content, ...more });
const link = (name: string, linkName: string, more: Partial<TarSpec> = {}): TarSpec => ({
  name,
  type: "1",
  linkName,
  ...more,
});
const ATTRIBUTES = { mode: 0o4711, uid: 5, pax: { mtime: "1000000000.25" } };

describe.skipIf(cannot)("an image of layers", () => {
  test.each<[what: string, layers: TarSpec[][]]>([
    [
      "with opaque directories",
      [
        [dir("d/", { mode: 0o711, uid: 3 }), file("d/a"), dir("d/e/"), file("d/e/b"), dir("k/"), file("k/x")],
        [dir("d/", { mode: 0o700 }), file("d/.wh..wh..opq", ""), file("d/new")],
        [dir("d/", { mode: 0o700 }), dir("d/e/"), file("d/e/again"), dir("k/"), file("k/.wh..wh..opq", "")],
      ],
    ],
    [
      "with hard links to lower layers",
      // As in real archives, links have the attributes of what they lead to, which podman sets once more.
      [
        [file("a", "x", ATTRIBUTES), dir("s/"), link("s/h", "a", ATTRIBUTES)],
        [file("a", "x", ATTRIBUTES), link("b", "a", ATTRIBUTES), dir("s/"), link("s/c", "a", ATTRIBUTES)],
      ],
    ],
    [
      "with whiteouts before and behind what they belong to",
      [
        [dir("d/"), file("d/a"), file("d/b"), file("f")],
        [file(".wh.f", ""), file("d/.wh.a", ""), dir("d/"), file("d/c"), file("d/.wh.b", "")],
      ],
    ],
  ])("%s comes out as from umoci and podman", { timeout: 300_000 }, (_, layers) => {
    using scratch = new Scratch();
    compare(scratch, madeOf(scratch, layers));
  });
});

/** Makes an OCI layout of archives. */
function madeOf(scratch: Scratch, layers: readonly TarSpec[][]): string {
  const layout = scratch.at("layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const put = (mediaType: string, bytes: Buffer) => {
    const hex = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(layout, "blobs/sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (mediaType: string, document: unknown) => put(mediaType, Buffer.from(JSON.stringify(document)));
  const archives = layers.map((entries) => tar(dir("./", { mode: 0o755 }), ...entries));
  const blobs = archives.map((archive) => put("application/vnd.oci.image.layer.v1.tar", archive));
  const config = json("application/vnd.oci.image.config.v1+json", {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: blobs.map(({ digest }) => digest) },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = json(mediaType, { schemaVersion: 2, mediaType, config, layers: blobs });
  const annotations = { "org.opencontainers.image.ref.name": "x" };
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] };
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return layout;
}

const noDebian = cannot ? "needs umoci and skopeo" : whyNoDebian(BOOKWORM);
describe.skipIf(noDebian !== null)("a Debian system of mmdebstrap", () => {
  test("comes out as from umoci and podman, with what later layers did to it", {
    timeout: DEBIAN_TIMEOUT,
  }, async () => {
    using scratch = new Scratch();
    const archive = await debianArchive(BOOKWORM);
    const layout = madeByUmoci(scratch, [
      `tar --numeric-owner --xattrs --xattrs-include='*' -xpf ${archive}`,
      "rm -rf usr/share/doc usr/share/man var/cache; ln usr/bin/perl* usr/local/bin/ 2>/dev/null || true; chmod 700 root",
      "mkdir -p var/cache/apt; rm -r usr/share/locale; echo x > usr/share/locale; chown -h 7:8 bin/sh",
    ]);
    compare(scratch, layout);
  });
});

/**
 * Unpacks an image by all, and compares.
 * @param form of the archive in which the image comes into the store
 * @param knowsAll whether umoci can read it: it knows no zstd
 */
function compare(
  scratch: Scratch,
  layout: string,
  form: "oci-archive" | "docker-archive" = "oci-archive",
  knowsAll = true,
): void {
  const name = `c${readdirSync(scratch.path).length}`;
  const store = scratch.at(`store-${name}`);
  const others: [who: keyof typeof COMPARED, tree: string[]][] = [];
  if (knowsAll) {
    run("umoci", ["unpack", "--image", `${layout}:x`, scratch.at(`umoci-${name}`)]);
    others.push(["umoci", tree(scratch.at(`umoci-${name}/rootfs`), COMPARED.umoci)]);
    rmSync(scratch.at(`umoci-${name}`), { recursive: true });
  }
  if (hasPodman) {
    using call = storage(scratch);
    // It makes a name of the path, which has to be one.
    const id = call("podman", "pull", "-q", `oci:${basename(layout)}:x`);
    others.push(["podman", tree(call("podman", "image", "mount", id), COMPARED.podman)]);
  }
  expect(others.length).toBeGreaterThan(0);
  run("skopeo", ["copy", "-q", `oci:${layout}:x`, `${form}:${scratch.at(`${name}.tar`)}:localhost/x:x`]);
  run(TSRUNC, ["image", "load", "-q", "--store", store, scratch.at(`${name}.tar`)]);
  for (const option of [[], ["--copy"]]) {
    const bundle = scratch.at(`ours-${name}${option.join("")}`);
    run(TSRUNC, ["image", "bundle", "-q", "--store", store, ...option, "localhost/x:x", bundle, "/bin/true"]);
    try {
      for (const [who, expected] of others)
        expect({ who, tree: tree(join(bundle, "rootfs"), COMPARED[who]) }).toEqual({ who, tree: expected });
    } finally {
      run(TSRUNC, ["image", "unbundle", bundle]);
    }
  }
}
