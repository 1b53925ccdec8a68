/** Bundles of images, as root: mounted and copied, changed and diffed, interrupted and removed. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { makeBundle, removeBundle } from "../../src/image/bundle/bundle.ts";
import type { BundleOptions } from "../../src/image/bundle/options.ts";
import { DEFAULT_LIMITS } from "../../src/image/layer/limits.ts";
import { collectSnapshots } from "../../src/image/snapshot/collect.ts";
import { diffSnapshot } from "../../src/image/snapshot/diff.ts";
import { readSnapshot } from "../../src/image/snapshot/snapshot.ts";
import { blobPath } from "../../src/image/store/blobs.ts";
import { collectLocked } from "../../src/image/store/collect.ts";
import { type Layer, resolveImage } from "../../src/image/store/resolve.ts";
import { lockStore, type Store } from "../../src/image/store/store.ts";
import { Scratch } from "../image/support.ts";
import { BUNDLE_OPTIONS } from "../support/bundle-options.ts";
import { type Made, putLayers, sha256 } from "../support/image-of-layers.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { type TarSpec, tar } from "../support/tar-writer.ts";
import { until } from "../support/terminal.ts";

const dir = (name: string, more: Partial<TarSpec> = {}): TarSpec => ({ name, type: "5", ...more });
const file = (name: string, content = name, more: Partial<TarSpec> = {}): TarSpec => ({ name, content, ...more });

const LAYERS = [
  tar(
    dir("./", { mode: 0o711, mtime: 44 }),
    dir("d/"),
    file("d/a"),
    file("d/b"),
    dir("data/", { uid: 5, gid: 6, mode: 0o750 }),
    file("data/seed"),
  ),
  tar(file("d/.wh.a", ""), file("d/c")),
];

const bundle = (store: Store, directory: string, options: Partial<BundleOptions> = {}, reference = "x") =>
  makeBundle({ store, reference, directory, options: { ...BUNDLE_OPTIONS, ...options } });

describe.skipIf(whyNotPrivileged() !== null)("a bundle", () => {
  test.each([
    ["missing", (path: string) => rmSync(path), /is not in the store \(pull or load the image again\)/],
    ["cut short", (path: string) => truncateSync(path, 50), /: damaged: .*\(pull or load the image again\)/],
  ] as const)("of a layer that is %s in the store is not made, and told so", async (_, act, message) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS });
    const { layers } = await resolveImage(store, "x");
    act(blobPath(store, (layers[0] as Layer).descriptor.digest));
    for (const form of ["overlay", "copy"] as const)
      await expect(bundle(store, scratch.at("b"), { form })).rejects.toThrow(message);
  });

  test("is made of no image for another system than this", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS, os: "windows" });
    await expect(bundle(store, scratch.at("b"))).rejects.toThrow(
      /is for windows\/\w+: a container here runs what is for linux/,
    );
    expect(existsSync(scratch.at("b"))).toBe(false);
  });

  test.each(["overlay", "copy"] as const)(
    "by %s has the image's files and configuration, and goes away whole",
    async (form) => {
      using scratch = new Scratch();
      const store = scratch.store();
      await putLayers(store, "x", {
        layers: LAYERS,
        config: { Cmd: ["/c"], Volumes: { "/data": {} }, WorkingDir: "/new" },
      });
      const directory = await bundle(store, scratch.at("b"), { form });
      expect(readdirSync(`${directory}/rootfs/d`).toSorted()).toEqual(["b", "c"]);
      expect(statSync(`${directory}/rootfs`)).toMatchObject({ mode: 0o40711 });
      expect(existsSync(`${directory}/rootfs/new`)).toBe(true);
      const config = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
      expect(config.process).toMatchObject({ args: ["/c"], cwd: "/new" });
      const { source } = config.mounts.find(({ destination }: { destination: string }) => destination === "/data");
      expect(statSync(source)).toMatchObject({ uid: 5, gid: 6, mode: 0o40750 });
      expect(readFileSync(`${source}/seed`, "utf8")).toBe("data/seed");
      await expect(bundle(store, directory, { form })).rejects.toThrow(/is a bundle already/);
      removeBundle(directory);
      expect(existsSync(directory)).toBe(false);
      expect(
        readdirSync(`${store.paths.snapshots}`).includes("active")
          ? readdirSync(`${store.paths.snapshots}/active`)
          : [],
      ).toEqual([]);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory);
    },
  );

  test("shares the layers, and not what is written", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS });
    const one = await bundle(store, scratch.at("one"));
    writeFileSync(`${one}/rootfs/d/new`, "x");
    const two = await bundle(store, scratch.at("two"));
    expect(readdirSync(`${two}/rootfs/d`).toSorted()).toEqual(["b", "c"]);
    expect(readdirSync(`${store.paths.snapshots}/layers`)).toHaveLength(2);
    removeBundle(one);
    removeBundle(two);
  });

  test.each<[string, (archive: Uint8Array) => Uint8Array, string]>([
    [
      "gzip of several members",
      (archive) => Buffer.concat([gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))]),
      "tar+gzip",
    ],
    [
      "zstd of several frames",
      (archive) => Buffer.concat([zstdCompressSync(archive.subarray(0, 700)), zstdCompressSync(archive.subarray(700))]),
      "tar+zstd",
    ],
    [
      "zstd behind a frame to be skipped",
      (archive) => Buffer.concat([Buffer.from("502a4d180400000001020304", "hex"), zstdCompressSync(archive)]),
      "tar+zstd",
    ],
    ["plain tar", (archive) => archive, "tar"],
    ["gzip that is called plain", (archive) => gzipSync(archive), "tar"],
    ["plain tar that is called gzip", (archive) => archive, "tar+gzip"],
  ])("is made of layers of %s", async (_, pack, type) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS, pack, mediaType: `application/vnd.oci.image.layer.v1.${type}` });
    const directory = await bundle(store, scratch.at("b"), { form: "copy" });
    expect(readdirSync(`${directory}/rootfs/d`).toSorted()).toEqual(["b", "c"]);
  });

  test.each<[string, Partial<Made>, RegExp]>([
    [
      "another diffID",
      { diffIds: [sha256(LAYERS[1] as Buffer), sha256(LAYERS[0] as Buffer)] },
      /layer sha256:[0-9a-f]{64}: it unpacks to an archive with the digest/,
    ],
    [
      "diffIDs of the compressed layers",
      { diffIds: LAYERS.map((layer) => sha256(gzipSync(layer))) },
      /it unpacks to an archive/,
    ],
    ["too few diffIDs", { diffIds: [sha256(LAYERS[0] as Buffer)] }, /has diff_ids for 1/],
    [
      "an end that is missing",
      { pack: (archive) => gzipSync(archive).subarray(0, -20) },
      /cannot be decompressed|ends|digest/,
    ],
    [
      "zstd that is cut off",
      { pack: (archive) => zstdCompressSync(archive).subarray(0, -20) },
      /decompressed|ends|digest/,
    ],
    [
      "garbage behind gzip",
      { pack: (archive) => Buffer.concat([gzipSync(archive), Buffer.from("garbage")]) },
      /cannot be decompressed/,
    ],
    [
      "a member behind zeros",
      {
        pack: (archive) =>
          Buffer.concat([gzipSync(archive.subarray(0, 512)), Buffer.alloc(50), gzipSync(archive.subarray(512))]),
      },
      /digest|ends|decompressed/,
    ],
    ["xz", { pack: () => Buffer.from("fd377a585a000000", "hex") }, /compressed by xz/],
    ["what is no archive", { pack: () => Buffer.alloc(2048, "x") }, /no tar header|unpacks to an archive/],
  ])("is not made of an image with %s, and nothing is left", async (_, made, message) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS, ...made });
    for (const form of ["overlay", "copy"] as const) {
      await expect(bundle(store, scratch.at("b"), { form })).rejects.toThrow(message);
      expect(existsSync(scratch.at("b"))).toBe(false);
    }
    for (const place of ["active", "tmp", "layers"]) {
      const path = `${store.paths.snapshots}/${place}`;
      expect(existsSync(path) ? readdirSync(path) : []).toEqual([]);
    }
  });

  test("is not made of a bomb", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: [tar(file("zeros", Buffer.alloc(300 << 20).toString("latin1")))] });
    await expect(bundle(store, scratch.at("b"), { form: "copy" })).rejects.toThrow(
      /unpacks to more than 200 times its \d+ bytes \(--max-ratio\)/,
    );
    const limits = { ...DEFAULT_LIMITS, bytes: 1 << 20 };
    await expect(bundle(store, scratch.at("b"), { form: "copy", limits })).rejects.toThrow(
      /more than 1048576 bytes \(--max-bytes\)/,
    );
    expect(existsSync(scratch.at("b"))).toBe(false);
  });

  test("has as many layers as one wants", async () => {
    using scratch = new Scratch();
    const store = scratch.store("a-store-whose-path-is-long-enough-that-no-page-holds-it-a-hundred-times");
    await putLayers(store, "x", {
      layers: Array.from({ length: 120 }, (_, index) => tar(dir("d/"), file(`d/${index}`))),
    });
    const directory = await bundle(store, scratch.at("b"));
    expect(readdirSync(`${directory}/rootfs/d`)).toHaveLength(120);
    removeBundle(directory);
  });

  test("is mounted from a store whose path has what separates options elsewhere", async () => {
    using scratch = new Scratch();
    const store = scratch.store("a:b,c\\d\\:e f=g\n+h");
    await putLayers(store, "x", { layers: LAYERS });
    const directory = await bundle(store, scratch.at("b:c,d\\e f"));
    expect(readdirSync(`${directory}/rootfs/d`).toSorted()).toEqual(["b", "c"]);
    writeFileSync(`${directory}/rootfs/d/new`, "new");
    expect(statSync(`${directory}/rootfs`).mode).toBe(0o40711);
    removeBundle(directory);
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync(`${store.paths.snapshots}/active`)).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(scratch.path);
  });

  test.each(["overlay", "copy"] as const)("by %s makes a working directory that is missing, inside", async (form) => {
    using scratch = new Scratch();
    const store = scratch.store();
    const layers = [
      tar(
        dir("home/", { uid: 7, gid: 8, mode: 0o700, mtime: 55 }),
        { name: "link", type: "2", linkName: "/home" },
        { name: "out", type: "2", linkName: "../../../../tmp" },
        file("file"),
      ),
    ];
    const cases: [workingDir: string, made: string | null, cwd: string][] = [
      ["", null, "/"],
      ["/", null, "/"],
      ["/home", null, "/home"],
      ["/link", null, "/link"],
      ["/new/deep", "new/deep", "/new/deep"],
      ["relative", "relative", "/relative"],
      ["/link/below", "home/below", "/link/below"],
      ["/out/x", "tmp/x", "/out/x"],
      ["/../../y", "y", "/../../y"],
    ];
    for (const [index, [workingDir, made, cwd]] of cases.entries()) {
      await putLayers(store, `x${index}`, { layers, config: { Cmd: ["x"], WorkingDir: workingDir } });
      const directory = await bundle(store, scratch.at("b"), { form }, `x${index}`);
      const { process } = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
      expect(process.cwd).toBe(cwd);
      if (made !== null) expect(statSync(`${directory}/rootfs/${made}`)).toMatchObject({ mode: 0o40755, uid: 0 });
      // What is there keeps its owner and permissions.
      expect(statSync(`${directory}/rootfs/home`)).toMatchObject({ uid: 7, gid: 8, mode: 0o40700 });
      expect(existsSync(scratch.at("tmp"))).toBe(false);
      removeBundle(directory);
    }
    await putLayers(store, "f", { layers, config: { Cmd: ["x"], WorkingDir: "/file/x" } });
    await expect(bundle(store, scratch.at("b"), { form }, "f")).rejects.toThrow(/\/file\/x/);
    expect(existsSync(scratch.at("b"))).toBe(false);
  });

  test.each(["overlay", "copy"] as const)("by %s seeds volumes with all that their files have", async (form) => {
    using scratch = new Scratch();
    const store = scratch.store();
    const layers = [
      tar(
        dir("v/", { uid: 5, gid: 6, mode: 0o2750, mtime: 77, pax: { "SCHILY.xattr.user.d": "1" } }),
        file("v/f", "content", { uid: 9, mode: 0o4711, mtime: 78, pax: { "SCHILY.xattr.user.f": "2" } }),
        { name: "v/h", type: "1", linkName: "v/f" },
        dir("v/sub/", { mode: 0o1777 }),
        { name: "v/sub/h", type: "1", linkName: "v/f" },
        { name: "v/s", type: "2", linkName: "f" },
        { name: "v/s2", type: "1", linkName: "v/s" },
        { name: "v/p", type: "6", mode: 0o600 },
        { name: "v/null", type: "3", major: 1, minor: 3, mode: 0o666 },
        dir("v/below/", { uid: 3 }),
      ),
    ];
    const config = { Cmd: ["x"], Volumes: { "/v": {}, "/v/below": {}, "/nowhere": {} } };
    await putLayers(store, "x", { layers, config });
    const directory = await bundle(store, scratch.at("b"), { form });
    const { mounts } = JSON.parse(readFileSync(`${directory}/config.json`, "utf8"));
    const sourceOf = (path: string): string =>
      mounts.find(({ destination }: { destination: string }) => destination === path).source;
    const at = (name: string) => lstatSync(`${sourceOf("/v")}/${name}`, { bigint: true });
    expect(statSync(sourceOf("/v"))).toMatchObject({ mode: 0o42750, uid: 5, gid: 6, mtimeMs: 77_000 });
    expect(statSync(sourceOf("/v/below"))).toMatchObject({ uid: 3, mode: 0o40755 });
    expect(statSync(sourceOf("/nowhere"))).toMatchObject({ uid: 0, mode: 0o40755 });
    expect(at("f")).toMatchObject({ mode: 0o104711n, uid: 9n, nlink: 3n });
    expect([at("h").ino, at("sub/h").ino, at("s2").ino]).toEqual([at("f").ino, at("f").ino, at("s").ino]);
    expect([at("p").isFIFO(), at("null").isCharacterDevice(), at("sub").mode]).toEqual([true, true, 0o41777n]);
    const xattr = (name: string, path: string) =>
      execFileSync("getfattr", ["--only-values", "--absolute-names", "-n", name, path], { encoding: "utf8" });
    expect(xattr("user.d", sourceOf("/v"))).toBe("1");
    expect(xattr("user.f", `${sourceOf("/v")}/sub/h`)).toBe("2");
    // The outer comes before the one that lies on it.
    const order = mounts.map(({ destination }: { destination: string }) => destination);
    expect(order.indexOf("/v")).toBeLessThan(order.indexOf("/v/below"));
    removeBundle(directory);
  });

  test("reads no passwd but the image's, and waits for none", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    writeFileSync(scratch.at("secret"), "app:x:0:0::/:/bin/sh\n");
    const cases: [TarSpec[], RegExp][] = [
      [[{ name: "etc/passwd", type: "2", linkName: scratch.at("secret") }], /"app" is not in the image's/],
      [[{ name: "etc/passwd", type: "2", linkName: "/dev/zero" }], /"app" is not in the image's/],
      [[{ name: "etc/passwd", type: "6" }], /etc\/passwd is no regular file/],
      [[{ name: "etc/passwd", type: "3", major: 1, minor: 5 }], /etc\/passwd is no regular file/],
      [[dir("etc/passwd/")], /etc\/passwd is no regular file/],
      [[file("etc/passwd", "x".repeat(5 << 20))], /has 5242880 bytes: more than/],
      [[file("etc/passwd", "app:x:0:0::/:/bin/sh"), { name: "etc/group", type: "6" }], /etc\/group is no regular file/],
    ];
    for (const [index, [entries, message]] of cases.entries()) {
      await putLayers(store, `x${index}`, { layers: [tar(...entries)], config: { Cmd: ["x"], User: "app" } });
      await expect(bundle(store, scratch.at("b"), { form: "copy" }, `x${index}`)).rejects.toThrow(message);
    }
  });

  test("seeds volumes from inside of the image only", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    mkdirSync(scratch.at("host"));
    writeFileSync(scratch.at("host/secret"), "secret");
    const layers = [
      tar(
        { name: "v", type: "2", linkName: scratch.at("host") },
        { name: "w", type: "2", linkName: "../../../../.." },
        file("f"),
      ),
    ];
    await putLayers(store, "x", {
      layers,
      config: { Cmd: ["x"], Volumes: { "/v": {}, "/w": {}, "/../../x": {}, "/": {} } },
    });
    const directory = await bundle(store, scratch.at("b"), { form: "copy" });
    expect(execFileSync("find", [`${directory}/volumes`], { encoding: "utf8" })).not.toContain("secret");
    removeBundle(directory);
  });

  test("is made only where nothing else is, and removed only where it is one", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS });
    mkdirSync(scratch.at("full"));
    writeFileSync(scratch.at("full/mine"), "mine");
    await expect(bundle(store, scratch.at("full"))).rejects.toThrow(/is not empty: mine is in it/);
    expect(() => removeBundle(scratch.at("full"))).toThrow(/there is no image\.json in it/);
    expect(() => removeBundle(scratch.at("nowhere"))).toThrow(/it is not there/);
    await expect(bundle(store, scratch.at("b"), {}, "nothing")).rejects.toThrow(/no such image: nothing/);
    expect(existsSync(scratch.at("b"))).toBe(false);
    mkdirSync(scratch.at("real"));
    symlinkSync("real", scratch.at("link"));
    const directory = await bundle(store, scratch.at("link"));
    expect(directory).toBe(scratch.at("real"));
    removeBundle(scratch.at("link"));
    expect(readFileSync(scratch.at("full/mine"), "utf8")).toBe("mine");
  });

  test("is for its owner alone where it is made, and otherwise as it was", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS });
    mkdirSync(scratch.at("there"), { mode: 0o755 });
    const mode = (name: string) => statSync(scratch.at(name)).mode & 0o777;
    for (const name of ["there", "new/made"]) await bundle(store, scratch.at(name), { form: "copy" });
    expect(["there", "new", "new/made"].map(mode)).toEqual([0o755, 0o755, 0o700]);
  });

  test("keeps its layers from being collected, and lets go of them with its directory", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await putLayers(store, "x", { layers: LAYERS });
    const directory = await bundle(store, scratch.at("b"));
    rmSync(store.paths.index);
    writeFileSync(store.paths.index, JSON.stringify({ schemaVersion: 2, manifests: [] }));
    const collect = async () => {
      using _ = await lockStore(store, "exclusive");
      return collectLocked(store, { collectors: [collectSnapshots] }).filter(({ kind }) => kind === "snapshot");
    };
    mkdirSync(`${store.paths.snapshots}/tmp/left`);
    expect((await collect()).map(({ name }) => name)).toEqual(["snapshots/tmp/left"]);
    expect(readFileSync(`${directory}/rootfs/d/c`, "utf8")).toBe("d/c");
    execFileSync("umount", [`${directory}/rootfs`]);
    rmSync(directory, { recursive: true });
    expect((await collect()).map(({ name }) => name.replace(/[0-9a-f]{18,}/, "…"))).toEqual([
      "snapshots/active/…",
      "snapshots/layers/sha256-…",
      "snapshots/layers/sha256-…",
    ]);
  });
});

describe.skipIf(whyNotPrivileged() !== null)("a diff", () => {
  test.each(["gzip", "zstd", "none"] as const)(
    "by %s makes the same tree on the same layers, and the same bytes again",
    async (compression) => {
      using scratch = new Scratch();
      const store = scratch.store();
      await putLayers(store, "x", {
        layers: [
          tar(dir("d/"), file("d/a"), file("d/b"), dir("e/"), file("e/x"), file("f"), {
            name: "l",
            type: "2",
            linkName: "f",
          }),
        ],
      });
      const directory = await bundle(store, scratch.at("b"));
      const script = `rm d/a; rm -r e; mkdir e; echo new > e/y; ln e/y e/z; echo x >> d/b; rm f l; mkdir l; mkfifo p; ln -s nowhere s
      setfattr -n user.a -v b d/b; chown 7:8 d; chmod 700 e; mknod c c 1 3; touch -d 2001-01-01T00:00:00.123456789Z d/b; printf x > $(printf '\\377')`;
      execFileSync("sh", ["-ec", script], { cwd: `${directory}/rootfs` });
      const marker = JSON.parse(readFileSync(`${directory}/image.json`, "utf8"));
      const snapshot = readSnapshot(store, marker.snapshot);
      if (snapshot === null) throw new Error("no snapshot");
      const take = async () => {
        const diff = diffSnapshot(store, snapshot, { compression, sourceDateEpoch: 1_000_000_000 });
        const chunks: Uint8Array[] = [];
        for await (const chunk of diff.chunks) chunks.push(chunk);
        expect(diff.isEmpty()).toBe(false);
        return { bytes: Buffer.concat(chunks), diffId: diff.diffId() };
      };
      const { bytes, diffId } = await take();
      expect((await take()).bytes).toEqual(bytes);
      const plain =
        compression === "gzip" ? gunzipSync(bytes) : compression === "zstd" ? zstdDecompressSync(bytes) : bytes;
      expect(sha256(plain)).toBe(diffId);
      const names = execFileSync("tar", ["-t"], { input: plain, encoding: "latin1" }).trim().split("\n");
      const removed = names.filter((name) => /(^|\/)\.wh\.[^.]/.test(name));
      expect(removed).toEqual([".wh.f", "d/.wh.a"]);
      // Before what else there is in the directory.
      for (const name of removed) {
        const parent = name.slice(0, name.lastIndexOf("/") + 1);
        const siblings = names.filter((one) => one !== parent && one.startsWith(parent));
        expect(siblings[0]).toBe(name);
      }
      const archive = tar(dir("d/"), file("d/a"), file("d/b"), dir("e/"), file("e/x"), file("f"), {
        name: "l",
        type: "2",
        linkName: "f",
      });
      await putLayers(store, "y", { layers: [archive, plain] });
      const again = await bundle(store, scratch.at("again"), { form: "copy" }, "y");
      const list = (path: string) =>
        execFileSync(
          "sh",
          [
            "-c",
            "find . -printf '%P %y %m %U:%G %l %s\\n' | LC_ALL=C sort; cat d/b e/z; getfattr -d -R . 2>/dev/null || true",
          ],
          { cwd: `${path}/rootfs`, encoding: "latin1" },
        );
      // Sizes of directories are the filesystem's.
      const withoutSizes = (text: string) => text.replace(/^(.* d .*) \d+$/gm, "$1");
      expect(withoutSizes(list(again))).toBe(withoutSizes(list(directory)));
      expect(lstatSync(`${again}/rootfs/d/b`, { bigint: true }).mtimeNs).toBe(978307200123456789n);
      expect(lstatSync(`${again}/rootfs/e/y`).nlink).toBe(2);
      expect(lstatSync(`${again}/rootfs/e/y`).mtimeMs).toBe(1_000_000_000_000);
      removeBundle(directory);
      removeBundle(again);
    },
  );
});

/** The output of a shell script in a user namespace that maps each id to itself, as systemd's `PrivateUsers=full` has it. */
async function inIdentityNamespace(script: string, ...args: string[]): Promise<string> {
  const waiting = ["--user", "--mount", "sh", "-c", 'read go; exec sh -ec "$@"', "sh", script, "sh", ...args];
  const child = spawn("unshare", waiting, { stdio: ["pipe", "pipe", "inherit"] });
  const output: string[] = [];
  child.stdout.on("data", (chunk) => output.push(String(chunk)));
  const closed = once(child, "close");
  await until(() => readlinkSync(`/proc/${child.pid}/ns/user`) !== readlinkSync("/proc/self/ns/user"));
  for (const map of ["uid_map", "gid_map"]) writeFileSync(`/proc/${child.pid}/${map}`, "0 0 4294967295");
  child.stdin.end("go\n");
  await closed;
  return output.join("");
}

test.skipIf(whyNotPrivileged() !== null)(
  "a bundle in a user namespace is one of a user namespace, though that maps each id to itself",
  async () => {
    using scratch = new Scratch();
    const opaque = tar(dir("d/"), file("d/.wh..wh..opq", ""), file("d/c"));
    await putLayers(scratch.store(), "x", { layers: [LAYERS[0] as Buffer, opaque] });
    const script =
      '"$1" image bundle --store "$2" x "$3" > /dev/null 2>&1; ls "$3/rootfs/d"; "$1" image unbundle "$3" > /dev/null';
    const program = process.env["TSRUNC"] ?? "dist/tsrunc";
    expect(await inIdentityNamespace(script, program, scratch.at("store"), scratch.at("b"))).toBe("c\n");
  },
);
