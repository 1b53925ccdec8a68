/** `container rm --force` of a container of which something is lost: what is left tells most of it. */
import { join } from "../../sys/path-names.ts";
import { SIGNALS } from "../../sys/signal.ts";
import type { Store } from "../store/store.ts";
import { type DamagedContainer, DamagedContainerError, isDamaged, readEither } from "./damaged.ts";
import { damagedInRuntime } from "./damaged-in-runtime.ts";
import { type Killed, killByRoot } from "./find-processes.ts";
import { deleteByBundle } from "./in-runtime.ts";
import { endPasta, pidFileOf } from "./pasta.ts";
import { signalProcess } from "./process.ts";
import { containerPath, lockContainer } from "./record.ts";
import { removeFiles } from "./remove.ts";
import { deleteInRuntime } from "./runtime.ts";
import { isWatched } from "./status.ts";
import { waitUntil } from "./wait.ts";

/** Milliseconds that a killed process, and then its monitor, may take. */
const PATIENCE = 10_000;

/**
 * Kills what runs in it, and removes all that is left of it.
 * @param root the runtime's `--root`, for where that is lost
 * @throws {DamagedContainerError} unless it is forced: whether it runs is not known for sure
 * @throws {Error} when it runs, and nothing tells what: nothing is removed then
 */
export async function removeDamaged(
  store: Store,
  damaged: DamagedContainer,
  { force, root }: { force: boolean; root: string },
): Promise<void> {
  if (!force) throw new DamagedContainerError(damaged);
  using _ = await lockContainer(store, damaged);
  const now = readEither(store, damaged.id);
  // Whoever had the lock may have removed it.
  if (now === null) return;
  const { state } = isDamaged(now) ? now : damaged;
  const places = [...new Set([damaged.root ?? root, root])];
  for (const place of places) deleteByBundle(store, damaged, place);
  // Where the runtime did not know it any more.
  if (state?.phase === "running") signalProcess(state.process, SIGNALS.SIGKILL);
  const killed = killByRoot(join(containerPath(store, damaged.id, "bundle"), "rootfs"), PATIENCE);
  for (const place of places) clearIn(place, damaged, killed, state !== null);
  if (!(await waitUntil(() => !isWatched(store, damaged), PATIENCE)))
    throw new Error(
      `the container ${damaged.name} is damaged, and runs: below ${root} the runtime has no such container; "tsrunc --root DIR container rm --force ${damaged.name}" names another place`,
    );
  endPasta(pidFileOf(store, damaged));
  await removeFiles(store, damaged);
}

/**
 * Clears what the runtime cannot read either, if it is this container.
 * @param isKnown whether its state says what its process is
 * @throws {Error} when one may be this one, and run
 */
function clearIn(root: string, damaged: DamagedContainer, killed: Killed, isKnown: boolean): void {
  const { ours, unknown } = damagedInRuntime(damaged, root);
  const isOurs = (name: string) => killed.cgroups.has(name) || killed.cgroups.has(`tsrunc-${name}.scope`);
  deleteInRuntime(root, [...ours, ...unknown.filter(isOurs)]);
  const left = unknown.filter((name) => !isOurs(name) && (!damaged.isNamed || name === damaged.name));
  if (left.length === 0 || isKnown || killed.count > 0 || ours.length > 0) return;
  const commands = left.map((name) => `"tsrunc --root ${root} delete --force ${name}"`).join(", ");
  throw new Error(
    `the container ${damaged.name} is damaged, and its process was not found: ${left.join(", ")} below ${root} may be it, and is damaged, too: ${commands} ends and clears that; then "tsrunc container rm --force ${damaged.name}" removes this one`,
  );
}
