/** From a bundle to a plan: everything about a container that is known before anything is made. */

import { isSystemdRunning, readOwnCgroups } from "../cgroup/layout.ts";
import { type CgroupLocation, planCgroup, type SystemdFacts } from "../cgroup/plan.ts";
import { Systemd } from "../cgroup/systemd/manager.ts";
import { loadConfig } from "../config/load.ts";
import { effectiveResources } from "../config/resources.ts";
import type { Process, Resources, Spec } from "../config/types.ts";
import { validateOnHost } from "../config/validate/host.ts";
import type { HostFacts } from "../plan/host.ts";
import { type Plan, planContainer } from "../plan/plan.ts";
import { hasErrno } from "../sys/error.ts";
import { callerNofileLimit } from "../sys/executable.ts";
import { realPath } from "../sys/file.ts";
import { isAbsolute, join, resolve } from "../sys/path-names.ts";
import { isDirectory, stat } from "../sys/stat.ts";
import { connectionsOf } from "./console-socket.ts";
import { hostFacts } from "./host.ts";
import { addNotifySocket, hostNotifySocket } from "./notify-socket.ts";
import type { Context, CreateOptions } from "./options.ts";
import { preservedDescriptors } from "./preserved-fds.ts";
import { stateDocument } from "./status.ts";
import { type Container, checkId, containerDirectory } from "./store.ts";

/** A container that is about to be made. */
export interface Prepared {
  container: Container;
  spec: Spec;
  process: Process;
  resources: Resources;
  plan: Plan;
  host: HostFacts;
  rootless: boolean;
}

/**
 * Reads, validates and plans; makes nothing.
 * @throws {ConfigError} when the configuration is not valid
 * @throws {Error} when the bundle or its rootfs is missing or not a directory
 */
export function prepare(context: Context, options: CreateOptions): Prepared {
  checkId(options.id);
  const bundle = directory(options.bundle, "bundle");
  const host = hostFacts();
  const rootless = context.rootless ?? (host.euid !== 0 || host.inUserNamespace);
  const config = options.config === undefined ? join(bundle, "config.json") : resolve(options.config);
  const spec = loadConfig(config, {
    euid: host.euid,
    inUserNamespace: host.inUserNamespace,
    warn: (message) => context.log.warn(message),
  });
  validateOnHost(spec, bundle);
  const process = spec.process as Process;
  const rootPath = spec.root?.path ?? "rootfs";
  const rootfs = directory(isAbsolute(rootPath) ? rootPath : join(bundle, rootPath), "/root/path of config.json");
  const { preserved, activated } = preservedDescriptors(options.preserveFds);
  addNotifySocket(spec, containerDirectory(context.root, options.id));
  const cgroup = cgroupLocation(context, options.id, spec, host, rootless);
  const container: Container = {
    id: options.id,
    ociVersion: spec.ociVersion,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    owner: host.euid,
    annotations: spec.annotations ?? {},
    init: null,
    complete: false,
    cgroup,
  };
  const plan = planContainer({
    id: options.id,
    spec,
    process,
    bundle,
    rootfs,
    host,
    cgroup,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
    passedFds: preserved,
    listenFds: activated,
    softNofile: callerNofileLimit(),
    state: stateDocument(container, "creating"),
    notifies: hostNotifySocket() !== undefined,
    ...connectionsOf(options, spec),
  });
  return { container, spec, process, resources: effectiveResources(spec), plan, host, rootless };
}

/** Where a container's cgroup is to be, or must have been made. @throws {Error} where there can be none */
export function cgroupLocation(
  context: Context,
  id: string,
  spec: Spec,
  host: HostFacts,
  rootless: boolean,
): CgroupLocation {
  return planCgroup({
    ...(spec.linux?.cgroupsPath ? { cgroupsPath: spec.linux.cgroupsPath } : {}),
    id,
    mounts: host.cgroupMounts,
    own: readOwnCgroups(),
    manager: context.cgroupManager,
    systemd: context.cgroupManager === "systemd" && isSystemdRunning() ? systemdFacts(rootless) : null,
    annotations: spec.annotations ?? {},
    rootless,
  });
}

function systemdFacts(rootless: boolean): SystemdFacts {
  if (!rootless) return { manager: "system", controlGroup: "" };
  using systemd = Systemd.connect("user");
  return { manager: "user", controlGroup: systemd.controlGroup() };
}

/** The real path of a directory that the caller named. */
function directory(path: string, what: string): string {
  let real: string;
  try {
    real = realPath(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) throw new Error(`${what}: ${path}: no such file or directory`);
    throw error;
  }
  if (!isDirectory(stat(real))) throw new Error(`${what}: ${path}: not a directory`);
  return real;
}
