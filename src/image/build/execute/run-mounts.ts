/** What is mounted while a RUN is at work: as mounts of the runtime's configuration. */
import { chmodSync, chownSync, existsSync, writeFileSync } from "node:fs";
import type { Mount } from "../../../config/types.ts";
import { O, open } from "../../../sys/fd.ts";
import { renameIfFree } from "../../../sys/file.ts";
import { mount, unmountDetach } from "../../../sys/mount.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import { isDirectory } from "../../../sys/stat.ts";
import { refuseUnmapped } from "../../bundle/mapped-ids.ts";
import { Notices } from "../../layer/notices.ts";
import { overlayNamespace } from "../../snapshot/directories.ts";
import { lock, tryLock } from "../../store/lock.ts";
import { DockerfileError } from "../language/position.ts";
import type { SecretSource } from "../options.ts";
import type { RunMount, RunStep } from "../plan/steps.ts";
import { asCopy } from "./binds.ts";
import { copyItems } from "./copy-files.ts";
import { useKept } from "./kept.ts";
import { relaySocket } from "./relay-socket.ts";
import { readSecret } from "./secret.ts";
import { type SelectedItem, selectFiles } from "./selection.ts";
import type { Sources } from "./sources.ts";
import { textOf } from "./tree.ts";
import type { Workspace } from "./workspace.ts";

type Of<T extends RunMount["type"]> = Extract<RunMount, { type: T }>;

export interface MountContext {
  workspace: Workspace;
  sources: Sources;
  secrets: ReadonlyMap<string, SecretSource>;
  ssh: ReadonlyMap<string, string>;
  /** Ends the waiting for what another command has. */
  signal: AbortSignal;
}

/** Mounts that are there until the end of their block. */
export class PreparedMounts implements Disposable {
  readonly mounts: Mount[] = [];
  /** Variables that secrets are. */
  readonly env: string[] = [];
  readonly #opened: Disposable[] = [];

  /** @throws {DockerfileError} */
  static async make({ mounts, script, args, at }: RunStep, context: MountContext): Promise<PreparedMounts> {
    const prepared = new PreparedMounts();
    try {
      await prepared.#lockCaches(mounts, context);
      for (const one of mounts) await prepared.#add(one, context);
      if (script !== null) prepared.#addScript(script, args[0] as string, context.workspace);
      return prepared;
    } catch (error) {
      prepared[Symbol.dispose]();
      context.signal.throwIfAborted();
      throw error instanceof DockerfileError ? error : new DockerfileError(at, (error as Error).message);
    }
  }

  async #add(one: RunMount, context: MountContext): Promise<void> {
    // Before anything is made for it, which a later build would find.
    if ("uid" in one) refuseUnmapped(`--mount=type=${one.type}`, one);
    switch (one.type) {
      case "bind":
        return this.#bind(one, context);
      case "cache":
        return this.#cache(one, context);
      case "tmpfs": {
        const size = [...(one.size === null ? [] : [`size=${one.size}`]), ...(one.readOnly ? ["ro"] : [])];
        return void this.mounts.push({
          destination: one.target,
          type: "tmpfs",
          source: "tmpfs",
          options: ["nosuid", "nodev", ...size],
        });
      }
      case "secret":
        return this.#secret(one, context);
      case "ssh":
        return this.#ssh(one, context);
    }
  }

  /** Each once, and all in one order: a command would wait for itself otherwise, and two commands for each other. */
  async #lockCaches(mounts: readonly RunMount[], { workspace, signal }: MountContext): Promise<void> {
    const names = mounts.flatMap((one) => (one.type === "cache" && one.sharing === "locked" ? [cacheName(one)] : []));
    for (const name of [...new Set(names)].sort()) {
      const { path, use } = await useKept(workspace.store, "mounts", name, signal);
      this.#opened.push(use);
      this.#opened.push(await lock(`${path}.lock`, "exclusive", undefined, signal));
    }
  }

  #push(destination: string, source: string, isReadOnly: boolean): void {
    this.mounts.push({ destination, type: "bind", source, options: ["rbind", isReadOnly ? "ro" : "rw"] });
  }

  /** A copy of the context, or the place in a stage's own mount: whatever is written to either is gone afterwards. */
  async #bind(one: Of<"bind">, { workspace, sources }: MountContext): Promise<void> {
    const source = await sources.open(one.from);
    this.#opened.push(source);
    const [item] = selectFiles(asCopy(one.source, one), source.tree);
    if (item === undefined) throw new DockerfileError(one.at, `${one.source} is not there`);
    if (source.path !== null)
      return this.#push(one.target, join(source.path, textOf(item.files[0]?.path as never)), one.readOnly);
    const directory = workspace.directory();
    copyInto(directory, item, source.tree);
    this.#push(one.target, join(directory, "copy"), one.readOnly);
  }

  /** A directory of the store, which later builds find as this one leaves it. One id for another owner, mode or origin is another directory, as in BuildKit. */
  async #cache(one: Of<"cache">, { workspace, sources, signal }: MountContext): Promise<void> {
    const { path, use } = await useKept(workspace.store, "mounts", cacheName(one), signal);
    this.#opened.push(use);
    let place = path;
    if (one.sharing === "private") {
      const mine = tryLock(`${place}.lock`, "exclusive");
      if (mine === null) place = join(workspace.directory(), randomHex(4));
      else this.#opened.push(mine);
    }
    // In its place when it is whole, which another may do first: nobody finds half of what it comes with.
    if (!existsSync(place)) renameIfFree(await newCache(one, workspace, sources), place);
    this.#push(one.target, place, one.readOnly);
  }

  #secret(one: Of<"secret">, { workspace, secrets }: MountContext): void {
    const found = secrets.get(one.id);
    const content = found === undefined ? null : readSecret(found);
    if (content === null) {
      if (one.required)
        throw new DockerfileError(
          one.at,
          `the secret ${JSON.stringify(one.id)} is required: --secret id=${one.id},src=FILE gives it`,
        );
      return;
    }
    if (one.env !== null) this.env.push(`${one.env}=${content.toString("utf8")}`);
    if (!one.isFile) return;
    // In memory: a secret is on no disk.
    const directory = workspace.directory();
    mount("tmpfs", directory, "tmpfs", ["nosuid", "nodev", "noexec"], "mode=0700");
    this.#opened.push({ [Symbol.dispose]: () => unmountDetach(directory) });
    const path = join(directory, "secret");
    writeFileSync(path, content, { mode: 0o600 });
    chownSync(path, one.uid, one.gid);
    chmodSync(path, one.mode);
    this.#push(one.target, path, true);
  }

  /** A socket of the build's own, whose connections lead to the caller's agent: that may be for the caller alone. */
  async #ssh(one: Of<"ssh">, { workspace, ssh }: MountContext): Promise<void> {
    const agent = ssh.get(one.id);
    if (agent === undefined) {
      if (!one.required) return;
      throw new DockerfileError(
        one.at,
        `the ssh agent ${JSON.stringify(one.id)} is required: --ssh ${one.id}[=SOCKET] gives it`,
      );
    }
    const path = join(workspace.directory(), "agent");
    this.#opened.push(await relaySocket(path, agent));
    chownSync(path, one.uid, one.gid);
    chmodSync(path, one.mode);
    this.#push(one.target, path, one.readOnly);
    // The first is the one that programs find; the others are asked for by their places.
    if (!this.env.some((variable) => variable.startsWith("SSH_AUTH_SOCK=")))
      this.env.push(`SSH_AUTH_SOCK=${one.target}`);
  }

  #addScript(script: string, target: string, workspace: Workspace): void {
    const path = join(workspace.directory(), "script");
    writeFileSync(path, script, { mode: 0o755 });
    chmodSync(path, 0o755);
    this.#push(target, path, true);
  }

  [Symbol.dispose](): void {
    for (const one of this.#opened.reverse()) one[Symbol.dispose]();
  }
}

async function newCache(one: Of<"cache">, workspace: Workspace, sources: Sources): Promise<string> {
  const directory = workspace.directory();
  chmodSync(directory, one.mode);
  chownSync(directory, one.uid, one.gid);
  if (one.from !== null) {
    using source = await sources.open(one.from);
    const [item] = selectFiles(asCopy(one.source, one), source.tree);
    if (item?.kind === "directory") copyInto(directory, item, source.tree, ".");
  }
  return directory;
}

function cacheName({ id, uid, gid, mode, from, source }: Of<"cache">): string {
  const isPlain = uid === 0 && gid === 0 && mode === 0o755 && from === null;
  return isPlain ? id : JSON.stringify([id, uid, gid, mode, from, source]);
}

function copyInto(directory: string, item: SelectedItem, tree: Parameters<typeof copyItems>[0], name = "copy"): void {
  using root = open(directory, O.RDONLY | O.DIRECTORY);
  const context = { owners: "archive", overlay: overlayNamespace(), notices: new Notices() } as const;
  const owner = tree.owners === "root" ? { uid: 0, gid: 0 } : null;
  const isPlace = name === ".";
  const stat = item.files[0]?.stat;
  const destination = isPlace ? "/" : stat !== undefined && isDirectory(stat) ? `/${name}/` : `/${name}`;
  copyItems(tree, [item], { rootfs: root, destination, owner, mode: null, replacesDirectories: false, context });
}
