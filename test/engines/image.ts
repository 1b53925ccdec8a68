/** The images that all engines run: one static busybox, as an archive that each of them loads. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeRootfs } from "../support/rootfs.ts";
import { tar } from "../support/tar-writer.ts";

/** Its name, which engines complete from `busybox`. */
export const IMAGE = "docker.io/library/busybox:latest";

/** The same with a process that waits, for the container that keeps a pod's namespaces. */
export const PAUSE = "docker.io/library/pause:latest";

/** @returns a docker-archive (image-spec, "docker save"): manifest.json, the configuration and one layer */
export function makeImage(): Buffer {
  const work = mkdtempSync(join(tmpdir(), "tsrunc-image-"));
  try {
    const rootfs = join(work, "rootfs");
    mkdirSync(rootfs);
    makeRootfs(rootfs);
    mkdirSync(join(rootfs, "srv"));
    // The owner of this file is seen from inside.
    writeFileSync(join(rootfs, "srv/of-image"), "of the image\n");
    execFileSync("tar", [
      "-cf",
      join(work, "layer.tar"),
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "-C",
      rootfs,
      ".",
    ]);
    const layer = readFileSync(join(work, "layer.tar"));
    const images = [
      { name: IMAGE, command: ["sh"] },
      { name: PAUSE, command: ["sleep", "1000000"] },
    ].map(({ name, command }) => {
      const config = JSON.stringify({
        architecture: process.arch === "arm64" ? "arm64" : "amd64",
        os: "linux",
        config: { Env: ["PATH=/bin"], Cmd: command },
        rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
        history: [{ created: "2000-01-01T00:00:00Z", created_by: "busybox" }],
      });
      return { name, config, file: `${sha256(Buffer.from(config))}.json` };
    });
    const manifest = images.map(({ name, file }) => ({ Config: file, RepoTags: [name], Layers: ["layer.tar"] }));
    return tar(
      { name: "layer.tar", content: layer },
      ...images.map(({ file, config }) => ({ name: file, content: config })),
      { name: "manifest.json", content: JSON.stringify(manifest) },
    );
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
