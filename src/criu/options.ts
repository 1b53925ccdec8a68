/** What a caller may ask of a checkpoint and of its restoration. */
import type { CGROUP_MODE, NETWORK_LOCK } from "./messages.ts";

/** What both know. */
export interface CommonOptions {
  /** Directory of the images, absolute. */
  imagePath: string;
  /** Directory of the log and of what CRIU works with; the images' own when left out. */
  workPath?: string;
  tcpEstablished: boolean;
  extUnixSk: boolean;
  shellJob: boolean;
  fileLocks: boolean;
  lazyPages: boolean;
  autoDedup: boolean;
  manageCgroupsMode: keyof typeof CGROUP_MODE;
  /** CRIU's own choice when left out. */
  networkLock?: keyof typeof NETWORK_LOCK;
}

export interface DumpOptions extends CommonOptions {
  /** Directory of the images before these, relative to theirs. */
  parentPath?: string;
  leaveRunning: boolean;
  /** Memory only, as a parent for images to come. */
  preDump: boolean;
  tcpSkipInFlight: boolean;
  linkRemap: boolean;
  /** Where pages go, or are fetched from with `lazyPages`. */
  pageServer?: { address: string; port: number };
  /** Descriptor of the caller's that gets a zero byte when the pages can be fetched. */
  statusFd?: number;
}

export interface RestoreOptions extends CommonOptions {
  /** TCP connections come back closed. */
  tcpClose: boolean;
  /** `TYPE:NAME`, of the security module. */
  lsmProfile?: string;
  lsmMountContext?: string;
}
