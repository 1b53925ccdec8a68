/** A container, as the runtime has it. */
import { exists } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { SIGNALS } from "../../sys/signal.ts";
import type { Store } from "../store/store.ts";
import { damagedInRuntime } from "./damaged-in-runtime.ts";
import { readState } from "./find.ts";
import type { Named } from "./names.ts";
import { signalProcess } from "./process.ts";
import { type Container, containerPath } from "./record.ts";
import { deleteInRuntime, listInRuntime, runRuntime } from "./runtime.ts";

/** The runtime's view of a container; `null` where it has none, or one of that name that is not this. */
export function runtimeState(store: Store, container: Container): { status: string; pid: number } | null {
  const { code, stdout } = runRuntime(container, ["state", container.name]);
  if (code !== 0) return null;
  const state = JSON.parse(stdout) as { status: string; pid: number; bundle: string };
  return state.bundle === containerPath(store, container.id, "bundle") ? state : null;
}

/** Has the runtime kill and forget a container, if that is this one, whether or not it can read what it has of it. */
export function clearInRuntime(store: Store, container: Container): void {
  if (runtimeState(store, container) !== null) runRuntime(container, ["delete", "--force", container.name]);
  else if (exists(join(container.root, container.name)))
    deleteInRuntime(container.root, damagedInRuntime(container, container.root).ours);
}

/** Has the runtime kill and forget whatever it has of a container, which is found by its bundle alone: its name may be lost. */
export function deleteByBundle(store: Store, { id }: Named, root: string): void {
  const bundle = containerPath(store, id, "bundle");
  const ours = listInRuntime(root)?.filter((one) => one.bundle === bundle) ?? [];
  deleteInRuntime(
    root,
    ours.map(({ id: name }) => name),
  );
}

/** @returns whether it was there to get it @throws {Error} with what the runtime says */
export function sendSignal(store: Store, container: Container, signal: number): boolean {
  const { code, error } = runRuntime(container, ["kill", container.name, `${signal}`]);
  if (code === 0) return true;
  const known = runtimeState(store, container);
  if (known?.status === "stopped") return false;
  if (known !== null) throw new Error(error);
  // The runtime cannot read what it has of it.
  if (signal === SIGNALS.SIGKILL) clearInRuntime(store, container);
  const state = readState(store, container);
  return state.phase === "running" && signalProcess(state.process, signal);
}
