/** Profiles of security modules to restore with: whether the kernel has the module. */
import { orNull } from "../sys/error.ts";
import { exists, readText } from "../sys/file.ts";
import type { RestoreOptions } from "./options.ts";

/** The security modules whose profiles CRIU knows, and whether the kernel has each in force. */
const MODULES = {
  apparmor: {
    name: "AppArmor",
    isThere: () => orNull(() => readText("/sys/module/apparmor/parameters/enabled"))?.trim() === "Y",
  },
  selinux: { name: "SELinux", isThere: () => exists("/sys/fs/selinux/enforce") },
} as const;

/**
 * Refuses what CRIU would refuse, or pass over, when half of the container is there.
 * @throws {Error} where what is asked for is no profile, or its module is not in force
 */
export function checkSecurityModule(
  { lsmProfile, lsmMountContext }: Pick<RestoreOptions, "lsmProfile" | "lsmMountContext">,
  modules: Readonly<Record<keyof typeof MODULES, { name: string; isThere(): boolean }>> = MODULES,
): void {
  if (lsmProfile !== undefined) {
    const [, type, profile] = /^(apparmor|selinux):(.+)$/s.exec(lsmProfile) ?? [];
    if (type === undefined || profile === undefined) {
      throw new Error(`invalid --lsm-profile ${JSON.stringify(lsmProfile)}: apparmor:NAME or selinux:NAME is expected`);
    }
    requireModule("--lsm-profile", modules[type as keyof typeof MODULES]);
  }
  if (lsmMountContext !== undefined) requireModule("--lsm-mount-context", modules.selinux);
}

function requireModule(option: string, { name, isThere }: { name: string; isThere(): boolean }): void {
  if (!isThere()) throw new Error(`${option} is not possible here: ${name} is not enabled in this kernel`);
}
