/**
 * The shape of config.json (runtime-spec 1.3, the part for Linux), under the spec's own names.
 *
 * Values of these types have passed the validator: the schema in `schema/` and these types say the same thing.
 */

/** An int64 or uint64 of the spec: a `bigint` beyond ±2⁵³, where a number would be another than the one written. */
export type Integer64 = number | bigint;

export interface Spec {
  ociVersion: string;
  process?: Process;
  root?: Root;
  hostname?: string;
  domainname?: string;
  mounts?: Mount[];
  hooks?: Hooks;
  annotations?: Record<string, string>;
  linux?: Linux;
}

export interface Process {
  terminal?: boolean;
  consoleSize?: { height: Integer64; width: Integer64 };
  user?: User;
  args?: string[];
  commandLine?: string;
  env?: string[];
  cwd: string;
  capabilities?: Capabilities;
  rlimits?: Rlimit[];
  noNewPrivileges?: boolean;
  apparmorProfile?: string;
  oomScoreAdj?: number;
  selinuxLabel?: string;
  ioPriority?: { class: IoPriorityClass; priority?: number };
  scheduler?: Scheduler;
  execCPUAffinity?: { initial?: string; final?: string };
}

export interface User {
  uid: number;
  gid: number;
  umask?: number;
  additionalGids?: number[];
  username?: string;
}

export interface Capabilities {
  bounding?: string[];
  effective?: string[];
  inheritable?: string[];
  permitted?: string[];
  ambient?: string[];
}

export interface Rlimit {
  type: string;
  soft: Integer64;
  hard: Integer64;
}

export type IoPriorityClass = "IOPRIO_CLASS_RT" | "IOPRIO_CLASS_BE" | "IOPRIO_CLASS_IDLE";

export interface Scheduler {
  policy: string;
  nice?: number;
  priority?: number;
  flags?: string[];
  /** Nanoseconds, as are deadline and period. */
  runtime?: Integer64;
  deadline?: Integer64;
  period?: Integer64;
}

export interface Root {
  path: string;
  readonly?: boolean;
}

export interface Mount {
  destination: string;
  source?: string;
  type?: string;
  options?: string[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface Hook {
  path: string;
  args?: string[];
  env?: string[];
  /** Seconds. */
  timeout?: number;
}

export interface Hooks {
  prestart?: Hook[];
  createRuntime?: Hook[];
  createContainer?: Hook[];
  startContainer?: Hook[];
  poststart?: Hook[];
  poststop?: Hook[];
}

export type HookKind = keyof Hooks;

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

export interface Namespace {
  type: NamespaceType;
  path?: string;
}

export interface Device {
  type: "c" | "b" | "u" | "p";
  path: string;
  major?: Integer64;
  minor?: Integer64;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface Linux {
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  sysctl?: Record<string, string>;
  resources?: Resources;
  cgroupsPath?: string;
  namespaces?: Namespace[];
  devices?: Device[];
  netDevices?: Record<string, { name?: string }>;
  seccomp?: Seccomp;
  rootfsPropagation?:
    | "shared"
    | "slave"
    | "private"
    | "unbindable"
    | "rshared"
    | "rslave"
    | "rprivate"
    | "runbindable"
    | "";
  maskedPaths?: string[];
  readonlyPaths?: string[];
  mountLabel?: string;
  intelRdt?: IntelRdt;
  memoryPolicy?: MemoryPolicy;
  personality?: { domain: "LINUX" | "LINUX32"; flags?: string[] };
  timeOffsets?: { boottime?: TimeOffset; monotonic?: TimeOffset };
}

export interface TimeOffset {
  secs?: Integer64;
  nanosecs?: number;
}

export interface IntelRdt {
  closID?: string;
  schemata?: string[];
  l3CacheSchema?: string;
  memBwSchema?: string;
  enableMonitoring?: boolean;
}

export interface MemoryPolicy {
  mode: string;
  nodes?: string;
  flags?: string[];
}

export interface DeviceRule {
  allow: boolean;
  type?: string;
  major?: Integer64;
  minor?: Integer64;
  access?: string;
}

export interface Resources {
  devices?: DeviceRule[];
  memory?: {
    limit?: Integer64;
    reservation?: Integer64;
    swap?: Integer64;
    kernel?: Integer64;
    kernelTCP?: Integer64;
    swappiness?: Integer64;
    disableOOMKiller?: boolean;
    useHierarchy?: boolean;
    checkBeforeUpdate?: boolean;
  };
  cpu?: {
    shares?: Integer64;
    quota?: Integer64;
    burst?: Integer64;
    period?: Integer64;
    realtimeRuntime?: Integer64;
    realtimePeriod?: Integer64;
    cpus?: string;
    mems?: string;
    idle?: Integer64;
  };
  pids?: { limit?: Integer64 };
  blockIO?: {
    weight?: number;
    leafWeight?: number;
    weightDevice?: { major: Integer64; minor: Integer64; weight?: number; leafWeight?: number }[];
    throttleReadBpsDevice?: ThrottleDevice[];
    throttleWriteBpsDevice?: ThrottleDevice[];
    throttleReadIOPSDevice?: ThrottleDevice[];
    throttleWriteIOPSDevice?: ThrottleDevice[];
  };
  hugepageLimits?: { pageSize: string; limit: Integer64 }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
  unified?: Record<string, string>;
}

export interface ThrottleDevice {
  major: Integer64;
  minor: Integer64;
  rate: Integer64;
}

export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: {
    names: string[];
    action: string;
    errnoRet?: number;
    args?: { index: number; value: Integer64; valueTwo?: Integer64; op: string }[];
  }[];
}

/** The state document that hooks get on stdin and `state` prints. @see runtime-spec, runtime.md, "State" */
export interface State {
  ociVersion: string;
  id: string;
  status: Status;
  pid: number;
  bundle: string;
  annotations?: Record<string, string>;
}

export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** What a runtime can do. An absent property means unknown, not unsupported. @see runtime-spec, features.md */
export interface Features {
  ociVersionMin: string;
  ociVersionMax: string;
  hooks?: string[];
  mountOptions?: string[];
  annotations?: Record<string, string>;
  potentiallyUnsafeConfigAnnotations?: string[];
  linux?: FeaturesLinux;
}

export interface FeaturesLinux {
  namespaces?: NamespaceType[];
  capabilities?: string[];
  cgroup?: { v1?: boolean; v2?: boolean; systemd?: boolean; systemdUser?: boolean; rdma?: boolean };
  seccomp?: {
    enabled?: boolean;
    actions?: string[];
    operators?: string[];
    archs?: string[];
    knownFlags?: string[];
    supportedFlags?: string[];
  };
  apparmor?: Switch;
  selinux?: Switch;
  intelRdt?: Switch;
  mountExtensions?: { idmap?: Switch };
  netDevices?: Switch;
  memoryPolicy?: { modes?: string[]; flags?: string[] };
}

export interface Switch {
  enabled?: boolean;
}
