/**
 * Runs an image: a bundle of its own, the runtime on it, and both cleared when the process has ended.
 *
 * The bundle lies in the store, below `snapshots/bundles/`, locked by this process and, by an inherited descriptor, by the runtime: when both
 * are gone without having cleared it, a collection does.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { type Fd, O, open } from "../../sys/fd.ts";
import { lockOwn } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { snapshotsPath } from "../snapshot/directories.ts";
import { lockStore } from "../store/store.ts";
import { type BundleRequest, makeBundle, removeBundle } from "./bundle.ts";
import { networkMounts, writeNetworkFiles } from "./network-files.ts";
import { standInFor } from "./pass-signals.ts";
import { relaySockets } from "./relay.ts";
import { DEFAULT_HOSTNAME } from "./runtime-config.ts";
import { runtimePath } from "./runtime-path.ts";

export interface RunRequest extends Omit<BundleRequest, "directory"> {
  /** Name of the container; default: one of its own. */
  id?: string;
  /** Global options for the runtime, such as `--root`. */
  runtimeArgs?: readonly string[];
}

/** @returns the exit code of the container's process, 128+N where signal N ended it */
export async function runImage({
  id = `image-${randomHex(6)}`,
  runtimeArgs = [],
  ...request
}: RunRequest): Promise<number> {
  const directory = join(snapshotsPath(request.store, "bundles"), randomHex(9));
  using lock = await claim(request, directory);
  try {
    const network = { mode: request.options.network, hostname: request.options.hostname ?? DEFAULT_HOSTNAME };
    const { options: given } = request;
    const options = { ...given, mounts: [...given.mounts, ...networkMounts(directory, network.mode, given)] };
    await makeBundle({ ...request, options, directory, isEphemeral: true });
    writeNetworkFiles(directory, network);
    return await execute([...runtimeArgs, "run", "--bundle", directory, id], lock);
  } finally {
    // What a failed making has removed itself is gone.
    if (existsSync(join(directory, "image.json"))) removeBundle(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes the directory and locks it before a collection can find it unlocked. */
async function claim({ store }: Pick<RunRequest, "store">, directory: string): Promise<Fd> {
  using _ = await lockStore(store, "shared");
  mkdirSync(directory, { mode: 0o700 });
  const lock = open(directory, O.RDONLY | O.DIRECTORY);
  lockOwn(lock, "exclusive", directory);
  return lock;
}

async function execute(args: readonly string[], lock: Fd): Promise<number> {
  using outputs = relaySockets([1, 2]);
  const child = spawn(runtimePath(), args, { stdio: ["inherit", ...outputs.descriptors, lock.number] });
  outputs.close();
  const code = await standInFor(child);
  // The container has ended, and everybody in it.
  await outputs.drained();
  return code;
}
