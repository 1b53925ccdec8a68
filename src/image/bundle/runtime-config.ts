/**
 * The configuration of an image as that of a container: image-spec's conversion, with Docker's defaults for what an image does not say.
 * A pure function; what has to be looked up in the rootfs comes as an argument.
 * @see image-spec conversion.md
 */
import { defaultMounts, MASKED_PATHS, OCI_VERSION, READONLY_PATHS, rootlessMounts } from "../../config/default.ts";
import type { Linux, Mount, Spec, User } from "../../config/types.ts";
import type { ImageConfig } from "../store/documents.ts";
import { type BundleOptions, placeOf } from "./options.ts";
import { defaultSeccomp } from "./seccomp-profile.ts";
import type { ResolvedUser } from "./user.ts";

/** What the caller found out. */
export interface Facts {
  user: ResolvedUser;
  /** Mounts of the image's volumes. */
  volumes: readonly Mount[];
  /** Whether cgroup v2 is the only hierarchy. */
  cgroupV2: boolean;
  uid: number;
  gid: number;
}

/** Of who says nothing. */
export const DEFAULT_HOSTNAME = "tsrunc";

/** A config.json, and what of the image is not in it, a line each. */
export interface Converted {
  spec: Spec;
  notices: string[];
}

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Annotations by which runtimes and engines take orders: an image gives none. */
const ORDERS =
  /^(run\.oci\.|org\.tsrunc\.|org\.systemd\.property\.|org\.criu\.|io\.podman\.|io\.kubernetes\.|io\.containerd\.|io\.katacontainers\.|com\.docker\.runtime\.)/;

/** @throws {Error} when neither the image nor the options say what to run */
export function toRuntimeConfig(image: ImageConfig, options: BundleOptions, facts: Facts): Converted {
  const config = image.config ?? {};
  const notices: string[] = [];
  const { user, left } = options.rootless ? withoutGroups(facts.user.user) : { user: facts.user.user, left: [] };
  const { home } = facts.user;
  if (left.length > 0)
    notices.push(`left out the supplementary groups ${left.join(", ")}: there is one id to map, the user's own`);
  // A user who is not root has capabilities only in reserve, for programs of root's that it may execute.
  const isRoot = user.uid === 0;
  const capabilities = [...options.capabilities];
  const own = isRoot ? { effective: [...capabilities], permitted: [...capabilities] } : {};
  const annotations = {
    ...implicitAnnotations(image),
    ...labels(config.Labels ?? {}, notices),
    ...options.annotations,
  };
  return {
    notices,
    spec: {
      ociVersion: OCI_VERSION,
      process: {
        terminal: options.tty,
        // That of what `exec` starts, too.
        user: { ...user, umask: 0o022 },
        args: argsOf(config, options),
        env: environment(config.Env ?? [], options, home),
        cwd: absolute(options.cwd ?? config.WorkingDir ?? "/"),
        capabilities: { bounding: capabilities, ...own },
        noNewPrivileges: false,
      },
      root: { path: "rootfs", readonly: options.readOnly },
      hostname: options.hostname ?? DEFAULT_HOSTNAME,
      mounts: [...standardMounts(options), ...outerFirst([...facts.volumes, ...options.mounts, ...options.tmpfs])],
      annotations,
      linux: linuxOf(options, facts, user),
    },
  };
}

/** An ordinary user may map one group, and then set no others. @see user_namespaces(7), "/proc/pid/setgroups" */
export function withoutGroups({ additionalGids = [], ...user }: User): { user: User; left: number[] } {
  return { user, left: additionalGids.filter((gid) => gid !== user.gid) };
}

function argsOf(
  { Entrypoint, Cmd }: { Entrypoint?: string[] | null; Cmd?: string[] | null },
  { args, entrypoint }: BundleOptions,
): string[] {
  // With another entrypoint the image's arguments, meant for its own, are gone: docker run does the same.
  const command =
    entrypoint === null ? [...(Entrypoint ?? []), ...(args ?? Cmd ?? [])] : [...entrypoint, ...(args ?? [])];
  if (command.length === 0) throw new Error("the image does not say what to run: give a command");
  return command;
}

/** The image's variables, then the user's; PATH, HOME and, on a terminal, TERM where both say nothing. */
function environment(image: readonly string[], { env, tty }: BundleOptions, home: string | null): string[] {
  const defaults = [DEFAULT_PATH, ...(tty ? ["TERM=xterm"] : []), `HOME=${home ?? "/"}`];
  return mergeEnvironment([...defaults, ...image, ...env]).filter((variable) => variable.includes("="));
}

/** Each variable once, as it was said last. */
export function mergeEnvironment(all: readonly string[]): string[] {
  return [...new Map(all.map((variable) => [variable.split("=", 1)[0], variable])).values()];
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

function implicitAnnotations(image: ImageConfig): Record<string, string> {
  const { config } = image;
  const all = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    "os.version": image["os.version"],
    "os.features": image["os.features"]?.join(","),
    author: image.author,
    created: image.created ?? undefined,
    stopSignal: config?.StopSignal ?? undefined,
    exposedPorts: config?.ExposedPorts ? Object.keys(config.ExposedPorts).sort().join(",") : undefined,
  };
  const annotations: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) if (value) annotations[`org.opencontainers.image.${name}`] = value;
  return annotations;
}

function labels(given: Readonly<Record<string, string>>, notices: string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (name === "" || ORDERS.test(name))
      notices.push(`left out the image's label ${JSON.stringify(name)}: it would be an order to the runtime`);
    else kept[name] = value;
  }
  return kept;
}

/** So that none hides another, in whichever order they were given: one that is mounted within another comes after it. */
function outerFirst(mounts: readonly Mount[]): Mount[] {
  const depth = ({ destination }: Mount) =>
    placeOf(destination)
      .split("/")
      .filter((part) => part !== "").length;
  return [...mounts].sort((one, other) => depth(one) - depth(other));
}

/** Those of any container; `/proc` with what Docker gives it, too. Without rights over cgroups there are none to be shown. */
function standardMounts({ rootless, shmSize }: BundleOptions): Mount[] {
  const mounts = rootless ? rootlessMounts().filter(({ type }) => type !== "cgroup") : defaultMounts();
  return mounts.map((mount) => {
    if (mount.destination === "/proc") return { ...mount, options: ["nosuid", "noexec", "nodev"] };
    if (mount.destination !== "/dev/shm" || shmSize === null) return mount;
    return { ...mount, options: [...(mount.options ?? []).filter((o) => !o.startsWith("size=")), `size=${shmSize}`] };
  });
}

function linuxOf(options: BundleOptions, { cgroupV2, uid, gid }: Facts, user: User): Linux {
  const { rootless, network, memory, cpus, pids } = options;
  const types = [
    "pid",
    "ipc",
    "uts",
    "mount",
    ...(network === "none" ? ["network"] : []),
    ...(cgroupV2 ? ["cgroup"] : []),
  ];
  const PERIOD = 100_000;
  const limits = {
    ...(memory === null ? {} : { memory: { limit: memory } }),
    ...(cpus === null ? {} : { cpu: { quota: Math.round(cpus * PERIOD), period: PERIOD } }),
    ...(pids === null ? {} : { pids: { limit: pids } }),
  };
  const resources = rootless ? limits : { devices: [{ allow: false, access: "rwm" }], ...limits };
  return {
    ...(rootless
      ? {
          // Whoever the process is, it is the caller: whose files they all are.
          uidMappings: [{ containerID: user.uid, hostID: uid, size: 1 }],
          gidMappings: [{ containerID: user.gid, hostID: gid, size: 1 }],
        }
      : {}),
    ...(Object.keys(resources).length > 0 ? { resources } : {}),
    namespaces: [...types, ...(rootless ? ["user"] : [])].map((type) => ({ type })) as NonNullable<Linux["namespaces"]>,
    seccomp: defaultSeccomp(options.capabilities),
    maskedPaths: [...MASKED_PATHS, "/sys/devices/virtual/powercap"],
    readonlyPaths: [...READONLY_PATHS],
  };
}
