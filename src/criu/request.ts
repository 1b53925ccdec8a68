/** From what a caller asks for to what CRIU is asked: pure functions, whose results `--explain` shows. */
import type { Spec } from "../config/types.ts";
import { NAMESPACE_FLAGS } from "../sys/namespace.ts";
import type { ExternalMount } from "./external-mounts.ts";
import { CGROUP_MODE, type CriuOptions, type CriuRequest, NETWORK_LOCK, TYPE } from "./messages.ts";
import { joinedNamespaces, keyOf } from "./namespaces.ts";
import type { CommonOptions, DumpOptions, RestoreOptions } from "./options.ts";

/** Names of the logs, in the working directory. */
export const LOG = { dump: "dump.log", restore: "restore.log" } as const;

/** As many words as runc asks for: the log is what explains a failure. */
const LOG_LEVEL = 4;

/** What both requests are made from, besides options. */
export interface Surroundings {
  /** Whether the directory in which CRIU works is another than that of the images. */
  hasWork: boolean;
  /** A file whose settings win over what is asked here; need not exist. */
  configFile: string | null;
  mounts: readonly ExternalMount[];
}

export interface DumpInput extends Surroundings {
  options: DumpOptions;
  pid: number;
  rootfs: string;
  /** Directory of the cgroup by whose freezer the container is to be held; `null` without one: CRIU stops each process then. */
  freezer: string | null;
  /** Namespaces to leave alone, as `markOf` writes them. */
  external: readonly string[];
}

/** The request for a checkpoint. */
export function dumpRequest(input: DumpInput): CriuRequest {
  const { options, freezer } = input;
  return {
    type: options.preDump ? TYPE.PRE_DUMP : TYPE.DUMP,
    opts: {
      ...common(options, input),
      log_file: LOG.dump,
      root: input.rootfs,
      pid: input.pid,
      leave_running: options.leaveRunning,
      tcp_skip_in_flight: options.tcpSkipInFlight,
      link_remap: options.linkRemap,
      external: [...input.external],
      ...(freezer !== null && { freeze_cgroup: freezer }),
      ...(options.pageServer && { ps: options.pageServer }),
      ...(options.parentPath !== undefined && { parent_img: options.parentPath, track_mem: true }),
    },
  };
}

export interface RestoreInput extends Surroundings {
  options: RestoreOptions;
  spec: Spec;
  /** A mount of the rootfs, and nothing else mounted over what leads to it. */
  root: string;
  /** Descriptors that CRIU has already, under their numbers in it, by the names that the images have for them. */
  inherited: readonly { key: string; fd: number }[];
  /** The cgroups of CRIU's process, by controller. */
  cgroups: ReadonlyMap<string, string>;
}

/** The request for a restoration. */
export function restoreRequest(input: RestoreInput): CriuRequest {
  const { options } = input;
  return {
    type: TYPE.RESTORE,
    opts: {
      ...common(options, input),
      log_file: LOG.restore,
      root: input.root,
      evasive_devices: true,
      tcp_close: options.tcpClose,
      // So that the init is our child, not CRIU's.
      rst_sibling: true,
      inherit_fd: [...input.inherited],
      join_ns: joinedNamespaces(input.spec),
      cg_root: [...input.cgroups].map(([ctrl, path]) => ({ ctrl, path })),
      ...(options.lsmProfile && { lsm_profile: options.lsmProfile }),
      ...(options.lsmMountContext && { lsm_mount_context: options.lsmMountContext }),
    },
  };
}

function common(options: CommonOptions, { hasWork, configFile, mounts }: Surroundings): CriuOptions {
  return {
    images_dir_fd: DESCRIPTORS.images,
    ...(hasWork && { work_dir_fd: DESCRIPTORS.work }),
    log_level: LOG_LEVEL,
    notify_scripts: true,
    // For versions that do not know the modes, which win where they are known: `ignore` must be sent, too, though it is 0.
    manage_cgroups: options.manageCgroupsMode !== "ignore",
    manage_cgroups_mode: CGROUP_MODE[options.manageCgroupsMode],
    tcp_established: options.tcpEstablished,
    ext_unix_sk: options.extUnixSk,
    shell_job: options.shellJob,
    file_locks: options.fileLocks,
    lazy_pages: options.lazyPages,
    auto_dedup: options.autoDedup,
    // Devices of a network namespace are somebody else's: of the engine, or of `linux.netDevices`.
    empty_ns: NAMESPACE_FLAGS.network,
    // The master of the container's terminal is with its caller.
    orphan_pts_master: true,
    ext_mnt: [...mounts],
    ...(options.networkLock && { network_lock: NETWORK_LOCK[options.networkLock] }),
    ...(configFile !== null && { config_file: configFile }),
  };
}

/**
 * The descriptors that CRIU is started with, in order: its line to us is 3. Where there is no other working directory, that of the images stands
 * for it.
 */
const DESCRIPTORS = { images: 4, work: 5, namespaces: 6 } as const;

/** The number under which CRIU has the n-th of the namespaces handed to it. */
export function inheritedNamespaces(types: readonly ("network" | "pid")[]): { key: string; fd: number }[] {
  return types.map((type, index) => ({ key: keyOf(type), fd: DESCRIPTORS.namespaces + index }));
}

/**
 * The pipes among a container's standard streams, by what they were called when it was dumped: in their place come those of the restoring
 * process.
 * @param streams of the image's `descriptors.json`: what the links in `/proc/<pid>/fd` said, in order
 */
export function inheritedPipes(streams: readonly string[]): { key: string; fd: number }[] {
  const STREAMS = 3;
  return streams
    .slice(0, STREAMS)
    .map((key, fd) => ({ key, fd }))
    .filter(({ key }) => key.startsWith("pipe:"));
}
