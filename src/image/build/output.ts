/** Carries out `--output`: the result as a directory, an archive of its files, or an archive of the image. */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { O, open } from "../../sys/fd.ts";
import { UnreadError } from "../../sys/standard-streams.ts";
import { toStdout } from "../archive/stdout.ts";
import { Notices } from "../layer/notices.ts";
import { saveImages } from "../operations/save.ts";
import { overlayNamespace } from "../snapshot/directories.ts";
import type { Descriptor } from "../store/documents.ts";
import { putImage } from "../store/images.ts";
import type { Layer } from "../store/resolve.ts";
import { copyItems } from "./execute/copy-files.ts";
import { selectFiles } from "./execute/selection.ts";
import { SourceTree } from "./execute/tree.ts";
import type { Workspace } from "./execute/workspace.ts";
import type { BuildOptions, Output } from "./options.ts";
import { requireEmpty } from "./output-paths.ts";
import { IgnoreRules } from "./paths/ignore.ts";

/** @throws {Error} */
export async function writeOutput(
  { store, reporter }: BuildOptions,
  output: Output,
  layers: readonly Layer[],
  descriptor: Descriptor,
  tags: readonly string[],
  workspace: Workspace,
): Promise<void> {
  if (output.kind === "archive") {
    for (const tag of tags.length > 0 ? tags : [null]) await putImage(store, tag, descriptor);
    const references = tags.length > 0 ? tags : [descriptor.digest];
    return saveImages(store, references, { format: output.format, output: output.path }, reporter);
  }
  using mounted = await workspace.mount(layers);
  if (output.kind === "tar") return await writeTar(mounted.path, output.path);
  mkdirSync(output.path, { recursive: true, mode: 0o755 });
  requireEmpty(output.path);
  using to = open(output.path, O.RDONLY | O.DIRECTORY);
  const tree = new SourceTree(mounted.root, "the image", false, "kept", IgnoreRules.none);
  const context = { owners: "archive", overlay: overlayNamespace(), notices: new Notices() } as const;
  const everything = {
    exclude: [],
    parents: false,
    sources: [{ text: "/", at: { file: "--output", line: 1, column: 1 } }],
  };
  copyItems(tree, selectFiles(everything, tree), {
    rootfs: to,
    destination: "/",
    owner: null,
    mode: null,
    replacesDirectories: false,
    context,
  });
}

/** By tar(1), which keeps all that there is to keep. */
async function writeTar(directory: string, path: string): Promise<void> {
  const args = [
    "--create",
    "--format=posix",
    "--numeric-owner",
    "--xattrs",
    "--sort=name",
    "--directory",
    directory,
    ".",
  ];
  const child = spawn("tar", args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(0, 1000);
  });
  const ended = new Promise<void>((settle, reject) => {
    child.on("error", (error) =>
      reject(new Error(`tar, which writes the archive, cannot be started: ${error.message}`)),
    );
    child.on("close", (code) =>
      code === 0 ? settle() : reject(new Error(`tar ended with ${code}: ${said.split("\n", 1)[0]}`)),
    );
  });
  const written =
    path === "-"
      ? toStdout((stdout) => pipeline(child.stdout, stdout, { end: false }))
      : pipeline(child.stdout, createWriteStream(path));
  // The writing's own error says more than that of a tar whose pipe was closed.
  const [writing, tar] = await Promise.allSettled([written, ended]);
  if (writing.status === "rejected" && writing.reason instanceof UnreadError) throw writing.reason;
  if (writing.status === "rejected")
    throw new Error(`--output ${path === "-" ? "to stdout" : path}: ${(writing.reason as Error).message}`);
  if (tar.status === "rejected") throw tar.reason;
}
