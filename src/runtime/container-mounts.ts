/** The mounts of a container as its plan makes them, for those who have to find them again. */
import type { Spec } from "../config/types.ts";
import { type HostMount, hostMounts } from "../criu/external-mounts.ts";
import type { HostFacts } from "../plan/host.ts";
import { planRootfs, type RootfsStep } from "../plan/rootfs.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { readLink } from "../sys/file.ts";
import { findInRoot } from "../sys/path.ts";
import type { Container } from "./store.ts";

/** The steps that mount, in order. */
export function mountSteps({ bundle, rootfs, cgroup }: Container, spec: Spec, host: HostFacts): RootfsStep[] {
  const namespaces = spec.linux?.namespaces ?? [];
  const { beforeHooks } = planRootfs({
    spec,
    bundle,
    rootfsPath: rootfs,
    host,
    noPivot: false,
    userNamespace: namespaces.some(({ type }) => type === "user"),
    cgroups: cgroup.hierarchies,
  });
  return beforeHooks;
}

/** The host's among them. */
export function hostMountsOf(container: Container, spec: Spec, host: HostFacts): HostMount[] {
  return hostMounts(mountSteps(container, spec, host));
}

/**
 * Where paths of a running container lead, as its `mountinfo` has them: resolved among its own mounts, as its root.
 * @param pid the init
 * @returns the places of those that exist, in order
 */
export function resolveInContainer(pid: number, paths: readonly string[]): string[] {
  using root = open(`/proc/${pid}/root`, O.PATH | O.DIRECTORY);
  return paths.flatMap((path) => placeOf(root, path) ?? []);
}

function placeOf(root: Fd, path: string): string | null {
  using found = findInRoot(root, path, O.PATH);
  // Of another mount namespace: the kernel gives the path from the root of that.
  return found === null ? null : readLink(found.procPath);
}
