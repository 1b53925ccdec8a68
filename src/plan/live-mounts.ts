/** Mounts that are added to a running container: planned as config.json's are, each in a single step. */
import type { Mount } from "../config/types.ts";
import type { MountStep, MountSurroundings, SourceStep } from "./mount-steps.ts";
import { describeMounts } from "./mount-words.ts";
import { planMount } from "./mounts.ts";
import type { OfKind } from "./step.ts";

/** A mount to add. */
export interface LiveMount {
  /** Which it is, for errors: `mount 0, bind /srv on /data [rbind]`. */
  words: string;
  /** What the runtime opens on the host; `null` for a filesystem. */
  source: OfKind<SourceStep, "open-source"> | null;
  step: MountStep;
}

/**
 * Plans mounts for a running container.
 * @param around as for its own mounts; sources are opened by the runtime, on the host
 * @throws {Error} for an entry that cannot be realised, or only while a container is made
 */
export function planLiveMounts(mounts: readonly Mount[], around: MountSurroundings): LiveMount[] {
  return mounts.map((mount, index) => planLiveMount(index, mount, { ...around, parentHelps: true }));
}

function planLiveMount(index: number, mount: Mount, around: MountSurroundings): LiveMount {
  const { sources, steps, readonlyLater } = planMount(index, mount, around);
  const [step] = steps;
  const refuse = (what: string): never => {
    throw new Error(`mount ${index} on ${mount.destination}: ${what} only while a container is made`);
  };
  if (step === undefined || steps.length > 1 || step.kind === "symlinks")
    return refuse("cgroup hierarchies are mounted");
  if (step.kind === "change-mount" || (step.kind === "mount" && step.flags.includes("remount")))
    return refuse("mounts are changed (remount)");
  if (step.kind === "mount" && step.inherit === "contents") return refuse("a tmpfs is filled (tmpcopyup)");
  if (step.kind === "bind" && step.copySymlink) return refuse("symlinks are copied (copy-symlink)");
  const source = sources.find((one) => one.kind === "open-source") ?? null;
  // Nothing is made in it later: what would be read-only in the end is so at once.
  const whole: MountStep =
    step.kind === "mount" && readonlyLater.length > 0 ? { ...step, flags: [...step.flags, "ro"] } : step;
  return { words: `mount ${index}, ${words(whole)}`, source, step: whole };
}

/** Without the name of config.json, which such a mount is not in. */
function words(step: MountStep): string {
  const { entry, pointer, ...rest } = step;
  return rest.kind === "bind" ? describeMounts.bind(rest) : describeMounts.mount(rest);
}
