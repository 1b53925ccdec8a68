/** `container rm --force` of a container of which something is lost: what is left tells most of it. */
import { POLL, poll } from "../../sys/poll.ts";
import { pidfdFind, pidfdSendSignal } from "../../sys/process.ts";
import type { Store } from "../store/store.ts";
import { type DamagedContainer, DamagedContainerError, isDamaged, readEither } from "./damaged.ts";
import { endPasta, pidFileOf } from "./pasta.ts";
import { isAlive } from "./process.ts";
import { lockContainer, type ProcessIdentity } from "./record.ts";
import { removeFiles } from "./remove.ts";
import { deleteByBundle } from "./runtime.ts";
import { isWatched } from "./status.ts";
import { waitUntil } from "./wait.ts";

const SIGKILL = 9;
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
  for (const place of new Set([damaged.root ?? root, root])) deleteByBundle(store, damaged, place);
  // Where the runtime did not know it any more.
  if (state?.phase === "running") kill(state.process);
  if (!(await waitUntil(() => !isWatched(store, damaged), PATIENCE)))
    throw new Error(
      `the container ${damaged.name} is damaged, and runs: below ${root} the runtime has no such container; "tsrunc --root DIR container rm --force ${damaged.name}" names another place`,
    );
  endPasta(pidFileOf(store, damaged));
  await removeFiles(store, damaged);
}

/** Kills a process, and waits until it has ended. */
function kill(process: ProcessIdentity): void {
  using pidfd = pidfdFind(process.pid);
  // Asked after the process is held, so that it is this one.
  if (pidfd === null || !isAlive(process)) return;
  pidfdSendSignal(pidfd.number, SIGKILL);
  poll([{ fd: pidfd.number, events: POLL.IN }], PATIENCE);
}
