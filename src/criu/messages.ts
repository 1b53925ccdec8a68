/**
 * The messages of CRIU's RPC that are used here, as tables: names and numbers are those of CRIU's `images/rpc.proto`. The compiler has the
 * types of the messages from the tables, and `codec.ts` writes and reads by them.
 * @see https://criu.org/RPC
 */

/** A field's number, what it holds, and whether there may be several of it. */
export type Field = readonly [number: number, type: Scalar | Message, many?: "many"];

/** `integer` is int32, uint32 and enum; a `text` is bytes, as names of files are. */
export type Scalar = "integer" | "boolean" | "text";

export type Message = { readonly [name: string]: Field };

type Value<T> = T extends "integer"
  ? number
  : T extends "boolean"
    ? boolean
    : T extends "text"
      ? string
      : T extends Message
        ? ValueOf<T>
        : never;

/** What a table describes. A field that is not there is not sent; one that is 0 or false is. */
export type ValueOf<M extends Message> = {
  -readonly [Name in keyof M]?: M[Name] extends readonly [number, infer T, "many"] ? Value<T>[] : Value<M[Name][1]>;
};

const PAGE_SERVER = { address: [1, "text"], port: [2, "integer"] } as const;

const KEY_AND_VALUE = { key: [1, "text"], val: [2, "text"] } as const;

const INHERITED = { key: [1, "text"], fd: [2, "integer"] } as const;

const CGROUP_ROOT = { ctrl: [1, "text"], path: [2, "text"] } as const;

const JOINED_NAMESPACE = { ns: [1, "text"], ns_file: [2, "text"] } as const;

const OPTIONS = {
  images_dir_fd: [1, "integer"],
  pid: [2, "integer"],
  leave_running: [3, "boolean"],
  ext_unix_sk: [4, "boolean"],
  tcp_established: [5, "boolean"],
  evasive_devices: [6, "boolean"],
  shell_job: [7, "boolean"],
  file_locks: [8, "boolean"],
  log_level: [9, "integer"],
  log_file: [10, "text"],
  ps: [11, PAGE_SERVER],
  notify_scripts: [12, "boolean"],
  root: [13, "text"],
  parent_img: [14, "text"],
  track_mem: [15, "boolean"],
  auto_dedup: [16, "boolean"],
  work_dir_fd: [17, "integer"],
  link_remap: [18, "boolean"],
  ext_mnt: [23, KEY_AND_VALUE, "many"],
  manage_cgroups: [24, "boolean"],
  cg_root: [25, CGROUP_ROOT, "many"],
  rst_sibling: [26, "boolean"],
  inherit_fd: [27, INHERITED, "many"],
  manage_cgroups_mode: [34, "integer"],
  external: [37, "text", "many"],
  empty_ns: [38, "integer"],
  join_ns: [39, JOINED_NAMESPACE, "many"],
  freeze_cgroup: [44, "text"],
  tcp_skip_in_flight: [46, "boolean"],
  lazy_pages: [48, "boolean"],
  orphan_pts_master: [50, "boolean"],
  config_file: [51, "text"],
  tcp_close: [52, "boolean"],
  lsm_profile: [53, "text"],
  lsm_mount_context: [63, "text"],
  network_lock: [64, "integer"],
} as const;

const FEATURES = { mem_track: [1, "boolean"], lazy_pages: [2, "boolean"] } as const;

/** What is sent to CRIU. */
export const REQUEST = {
  type: [1, "integer"],
  opts: [2, OPTIONS],
  notify_success: [3, "boolean"],
  keep_open: [4, "boolean"],
  features: [5, FEATURES],
} as const;

/** What it answers. */
export const RESPONSE = {
  type: [1, "integer"],
  success: [2, "boolean"],
  restore: [4, { pid: [1, "integer"] }],
  notify: [5, { script: [1, "text"], pid: [2, "integer"] }],
  cr_errno: [7, "integer"],
  features: [8, FEATURES],
  cr_errmsg: [9, "text"],
  version: [10, { major_number: [1, "integer"], minor_number: [2, "integer"], sublevel: [4, "integer"] }],
} as const;

export type CriuOptions = ValueOf<typeof OPTIONS>;
export type CriuFeatures = ValueOf<typeof FEATURES>;
export type CriuRequest = ValueOf<typeof REQUEST> & { type: number };
export type CriuResponse = ValueOf<typeof RESPONSE>;

/** Types of requests and responses, `criu_req_type`. */
export const TYPE = {
  EMPTY: 0,
  DUMP: 1,
  RESTORE: 2,
  PRE_DUMP: 4,
  NOTIFY: 6,
  FEATURE_CHECK: 9,
  VERSION: 10,
} as const;

/** What CRIU does about cgroups, `criu_cg_mode`. The first is 0, and sent like all others: without it CRIU does what `soft` says. */
export const CGROUP_MODE = { ignore: 0, soft: 3, full: 4, strict: 5, default: 6 } as const;

/** How CRIU keeps packets away while connections are written down, and until they are back: `criu_network_lock_method`. */
export const NETWORK_LOCK = { iptables: 1, nftables: 2, skip: 3 } as const;
