/** Carries out COPY and ADD: what goes where is selected and digested first, which the cache asks for, and copied if it has to be. */
import { writeFileSync } from "node:fs";
import { nameOfText } from "../../../sys/byte-name.ts";
import { Fd, O, open } from "../../../sys/fd.ts";
import { join } from "../../../sys/path-names.ts";
import { isType } from "../../../sys/stat.ts";
import { Notices } from "../../layer/notices.ts";
import { overlayNamespace } from "../../snapshot/directories.ts";
import { DockerfileError } from "../language/position.ts";
import { IgnoreRules } from "../paths/ignore.ts";
import { type ModeChange, parseModeChange } from "../plan/mode-change.ts";
import type { CopyStep } from "../plan/steps.ts";
import type { Limits } from "./download.ts";
import type { MountedLayers } from "./mounted-layers.ts";
import { isGit, isUrl } from "./remote.ts";
import { digestOfFiles, type SelectedItem, selectFiles } from "./selection.ts";
import type { Sources } from "./sources.ts";
import { SourceTree } from "./tree.ts";
import type { Workspace } from "./workspace.ts";

/** Files that were found, each with the tree that it is in. */
interface Part {
  tree: SourceTree;
  items: SelectedItem[];
  /** What mode files get where `--chmod` does not say. */
  mode: ModeChange | null;
  mayUnpack: boolean;
}

/** A COPY whose sources were found; they are open until the end of its block. */
export class PreparedCopy implements Disposable {
  private constructor(
    readonly step: CopyStep,
    readonly workspace: Workspace,
    readonly parts: readonly Part[],
    private readonly opened: readonly Disposable[],
  ) {}

  /** @throws {DockerfileError} */
  static async make(
    step: CopyStep,
    workspace: Workspace,
    sources: Sources,
    limits: Limits,
    warn: (line: string) => void,
  ): Promise<PreparedCopy> {
    const opened: Disposable[] = [];
    const parts: Part[] = [];
    try {
      const [urls, paths] = [step.sources.filter(isRemote), step.sources.filter((source) => !isRemote(source))];
      if (step.checksum !== null && urls.length === 0)
        throw new DockerfileError(step.at, "--checksum is for URLs, and there is none");
      if (paths.length > 0) {
        const source = await sources.open(step.from);
        opened.push(source);
        const items = selectFiles({ ...step, sources: paths }, source.tree, ({ text, at }) =>
          warn(`${at.file}:${at.line}:${at.column}: nothing in ${source.tree.label} matches ${JSON.stringify(text)}`),
        );
        parts.push({ tree: source.tree, items, mode: null, mayUnpack: step.unpack !== "none" });
      }
      for (const url of urls) parts.push(await fetched(step, url, workspace, opened, limits));
      if (step.files.length > 0) parts.push(inline(step, workspace, opened));
      return new PreparedCopy(step, workspace, parts, opened);
    } catch (error) {
      for (const one of opened.reverse()) one[Symbol.dispose]();
      throw error;
    }
  }

  /** Several files would have one name to go to, and the last be left. Where a directory is, they go into it, as do those of directories and archives. */
  #refuseSeveral(isDirectory: boolean): void {
    const { at, destination, parents } = this.step;
    const count = this.parts.reduce((sum, { items }) => sum + items.length, 0);
    if (count > 1 && !isDirectory && !destination.endsWith("/") && !parents)
      throw new DockerfileError(
        at,
        `${count} sources, so the destination must be a directory: ${destination}/ is right`,
      );
  }

  /** Of all that is copied. */
  digest(): string[] {
    return this.parts.map(({ tree, items }) => digestOfFiles(tree, items));
  }

  /** @throws {DockerfileError} */
  async copyTo({ root }: MountedLayers): Promise<void> {
    const { step } = this;
    const { copyItems, isDirectoryInRoot, makeDirectories } = await import("./copy-files.ts");
    try {
      const owner = step.chown === null ? null : (await import("./owner.ts")).resolveOwner(root, step.chown);
      const mode = step.chmod === null ? null : parseModeChange(step.chmod);
      const context = { owners: "archive", overlay: overlayNamespace(), notices: new Notices() } as const;
      const target = { rootfs: root, destination: step.destination, context };
      for (const part of this.parts) {
        const ownerOf = (tree: SourceTree) => owner ?? (tree.owners === "root" ? { uid: 0, gid: 0 } : null);
        for (const item of part.items) {
          const unpacked = part.mayUnpack ? await this.#unpacked(part.tree, item) : null;
          if (unpacked === null && item.kind === "file") this.#refuseSeveral(isDirectoryInRoot(root, step.destination));
          const tree = unpacked?.tree ?? part.tree;
          const items = unpacked === null ? [item] : [unpacked.item];
          copyItems(tree, items, {
            ...target,
            owner: ownerOf(tree),
            mode: mode ?? part.mode,
            replacesDirectories: unpacked !== null,
          });
          unpacked?.tree.root.close();
        }
      }
      const isEmpty = this.parts.every(({ items }) => items.length === 0);
      if (step.destination.endsWith("/") && !isEmpty) makeDirectories(root, step.destination, owner).close();
    } catch (error) {
      throw error instanceof DockerfileError ? error : new DockerfileError(step.at, (error as Error).message);
    }
  }

  /** An archive as the directory that it unpacks to; `null` for what is none. */
  async #unpacked(tree: SourceTree, item: SelectedItem): Promise<{ tree: SourceTree; item: SelectedItem } | null> {
    const file = item.files[0];
    if (item.kind !== "file" || file === undefined || !isType(file.stat, "regular")) return null;
    using archive = new Fd(tree.open(file.path, O.RDONLY | O.NONBLOCK));
    const { unpackFile } = await import("./archive.ts");
    let path: string | null;
    try {
      path = await unpackFile(archive, this.workspace.directory(), "archive");
    } catch (error) {
      throw new Error(`the archive ${JSON.stringify(file.path)}: ${(error as Error).message}`);
    }
    if (path === null) return null;
    const root = open(path, O.RDONLY | O.DIRECTORY);
    const inside = new SourceTree(root, "the archive", false, "kept", IgnoreRules.none);
    const [selected] = selectFiles(
      { ...this.step, exclude: [], parents: false, sources: [{ text: "/", at: this.step.at }] },
      inside,
    );
    return { tree: inside, item: selected as SelectedItem };
  }

  [Symbol.dispose](): void {
    for (const one of this.opened) one[Symbol.dispose]();
  }
}

function isRemote({ text }: { text: string }): boolean {
  return isUrl(text) || isGit(text) || /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}

async function fetched(
  step: CopyStep,
  { text, at }: CopyStep["sources"][number],
  workspace: Workspace,
  opened: Disposable[],
  limits: Limits,
): Promise<Part> {
  if (step.instruction === "COPY") throw new DockerfileError(at, `COPY takes no URL: ADD ${text} is right`);
  if (!isUrl(text) && !isGit(text)) throw new DockerfileError(at, `${text}: only http:// and https:// can be fetched`);
  if (isGit(text))
    throw new DockerfileError(at, `${text}: sources in git are not supported: fetch it before, and copy it`);
  try {
    const { download } = await import("./download.ts");
    const directory = workspace.directory();
    const otherwise = step.destination.endsWith("/") ? null : (step.destination.split("/").at(-1) as string);
    const { name } = await download(workspace.store, text, step.checksum, directory, limits, otherwise);
    return partOf(step, directory, [name], () => 0o600, step.unpack === "all", opened);
  } catch (error) {
    limits.signal.throwIfAborted();
    throw new DockerfileError(at, (error as Error).message);
  }
}

/** Here-documents as files of a directory. */
function inline(step: CopyStep, workspace: Workspace, opened: Disposable[]): Part {
  const directory = workspace.directory();
  for (const { name, content } of step.files) {
    if (name.includes("/") || name === "." || name === "..")
      throw new DockerfileError(step.at, `the here-document ${JSON.stringify(name)} cannot be the name of a file`);
    writeFileSync(join(directory, name), content, { mode: 0o644 });
  }
  return partOf(
    step,
    directory,
    step.files.map(({ name }) => name),
    () => 0o644,
    false,
    opened,
  );
}

function partOf(
  { at }: CopyStep,
  directory: string,
  names: readonly string[],
  mode: ModeChange,
  mayUnpack: boolean,
  opened: Disposable[],
): Part {
  const root = open(directory, O.RDONLY | O.DIRECTORY);
  opened.push(root);
  const tree = new SourceTree(root, "what was fetched", true, "root", IgnoreRules.none);
  const items = names.map((name): SelectedItem => {
    const path = nameOfText(name);
    const stat = tree.stat(path);
    if (stat === null) throw new DockerfileError(at, `${JSON.stringify(name)} is not there any more`);
    return { name: path, kind: "file", parents: null, files: [{ path, stat, below: nameOfText("") }] };
  });
  return { tree, items, mode, mayUnpack };
}
