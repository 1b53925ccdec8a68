/** The options of a mount, as config.json and mount(8) write them, sorted by what the kernel does with each. */
import type { MountAttribute, MountFlag, PropagationType } from "../sys/mount.ts";

/** A propagation to set, of one mount or of the whole tree below it. */
export interface Propagation {
  type: PropagationType;
  recursive: boolean;
}

/** An end of a bind whose last component is not followed (crun's `src-nofollow`, `dest-nofollow`). */
export type NoFollow = "source" | "destination";

/** What a mount's options ask for. */
export interface MountOptions {
  /** Flags of the mount, each once, in the order of their last mention; without `bind`, `rec` and `remount`. */
  flags: MountFlag[];
  /** Flags that an option takes back by name: `rw`, `dev`, `norelatime`. */
  cleared: MountFlag[];
  /** `rbind` binds the mounts below the source, too. */
  bind: "bind" | "rbind" | null;
  remount: boolean;
  /** In the order given. */
  propagation: Propagation[];
  /** Attributes for every mount of the tree (`rro`, `rexec`, …); `null` when no option asks for any. */
  recursive: { set: MountAttribute[]; clear: MountAttribute[] } | null;
  idmap: "idmap" | "ridmap" | null;
  /** The maps that follow `idmap=`, as they stand there. @see parseIdmapOption */
  idMapping?: string;
  /** Fill a tmpfs with what it covers. */
  tmpcopyup: boolean;
  /** Which ends of a bind are themselves meant when they are symlinks. */
  nofollow?: NoFollow[];
  /** Whether a source that is a symlink is made again at the destination. */
  copySymlink?: true;
  /** Whatever is left, for the filesystem to understand: comma-separated. */
  data: string;
}

/** Each option and the flag that it sets, or, with `!`, clears. */
const FLAG_OPTIONS: Readonly<Record<string, MountFlag | `!${MountFlag}`>> = {
  async: "!sync",
  atime: "!noatime",
  dev: "!nodev",
  diratime: "!nodiratime",
  dirsync: "dirsync",
  exec: "!noexec",
  iversion: "iversion",
  lazytime: "lazytime",
  loud: "!silent",
  mand: "mand",
  noatime: "noatime",
  nodev: "nodev",
  nodiratime: "nodiratime",
  noexec: "noexec",
  noiversion: "!iversion",
  nolazytime: "!lazytime",
  nomand: "!mand",
  norelatime: "!relatime",
  nostrictatime: "!strictatime",
  nosuid: "nosuid",
  nosymfollow: "nosymfollow",
  relatime: "relatime",
  ro: "ro",
  rw: "!ro",
  silent: "silent",
  strictatime: "strictatime",
  suid: "!nosuid",
  symfollow: "!nosymfollow",
  sync: "sync",
};

/** Those of {@link FLAG_OPTIONS} that one mount can have on its own: with an `r` before them, a tree of mounts. */
const ATTRIBUTE_OPTIONS: readonly string[] = [
  ...["ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "nodiratime", "diratime"],
  ...["relatime", "norelatime", "noatime", "atime", "strictatime", "nostrictatime", "nosymfollow", "symfollow"],
];

const PROPAGATION_OPTIONS: readonly string[] = ["private", "shared", "slave", "unbindable"];

const OTHER_OPTIONS: readonly string[] = [
  ...["bind", "rbind", "remount", "defaults", "idmap", "ridmap", "tmpcopyup"],
  // crun's own
  ...["copy-symlink", "dest-nofollow", "src-nofollow"],
];

/**
 * Sorts the options of a mount. Of two that contradict each other the later one holds.
 *
 * @example parseMountOptions(["rbind", "ro", "rslave"])
 * // { bind: "rbind", flags: ["ro"], propagation: [{ type: "slave", recursive: true }], … }
 * @see runtime-spec, config.md, "Linux mount options"; mount(8)
 */
export function parseMountOptions(options: readonly string[] = []): MountOptions {
  const parsed: MountOptions = {
    flags: [],
    cleared: [],
    bind: null,
    remount: false,
    propagation: [],
    recursive: null,
    idmap: null,
    tmpcopyup: false,
    data: "",
  };
  const data = options.filter((option) => !applyOption(parsed, option));
  parsed.data = data.join(",");
  return parsed;
}

/** @returns whether the option is one for us, and not for the filesystem */
function applyOption(parsed: MountOptions, option: string): boolean {
  const flag = flagOption(option);
  if (flag !== undefined) {
    move(flag.name, flag.clear ? parsed.flags : parsed.cleared, flag.clear ? parsed.cleared : parsed.flags);
    return true;
  }
  const propagation = parsePropagation(option);
  if (propagation !== null) {
    parsed.propagation.push(propagation);
    return true;
  }
  if (option.startsWith("r") && ATTRIBUTE_OPTIONS.includes(option.slice(1))) {
    const attribute = flagOption(option.slice(1)) as { name: MountAttribute; clear: boolean };
    parsed.recursive ??= { set: [], clear: [] };
    const { set, clear } = parsed.recursive;
    move(attribute.name, attribute.clear ? set : clear, attribute.clear ? clear : set);
    return true;
  }
  return applyOther(parsed, option);
}

function applyOther(parsed: MountOptions, option: string): boolean {
  switch (option) {
    case "bind":
      parsed.bind ??= "bind";
      return true;
    case "rbind":
      parsed.bind = "rbind";
      return true;
    case "remount":
      parsed.remount = true;
      return true;
    case "idmap":
    case "ridmap":
      parsed.idmap = option;
      return true;
    case "tmpcopyup":
      parsed.tmpcopyup = true;
      return true;
    case "copy-symlink":
      parsed.copySymlink = true;
      return true;
    case "src-nofollow":
    case "dest-nofollow":
      parsed.nofollow = [...(parsed.nofollow ?? []), option === "src-nofollow" ? "source" : "destination"];
      return true;
    case "defaults":
      return true;
    // Podman's words about filling a new volume, which it has done or not when it calls us; it hands them on.
    case "copy":
    case "nocopy":
      return true;
    default:
      return applyIdMapping(parsed, option);
  }
}

function applyIdMapping(parsed: MountOptions, option: string): boolean {
  const equals = option.indexOf("=");
  const name = option.slice(0, equals);
  if (name !== "idmap" && name !== "ridmap") return false;
  parsed.idmap = name;
  parsed.idMapping = option.slice(equals + 1);
  return true;
}

function flagOption(option: string): { name: MountFlag; clear: boolean } | undefined {
  if (!Object.hasOwn(FLAG_OPTIONS, option)) return undefined;
  const flag = FLAG_OPTIONS[option] as string;
  return flag.startsWith("!")
    ? { name: flag.slice(1) as MountFlag, clear: true }
    : { name: flag as MountFlag, clear: false };
}

function move<T>(value: T, from: T[], to: T[]): void {
  if (from.includes(value)) from.splice(from.indexOf(value), 1);
  if (!to.includes(value)) to.push(value);
}

/** A propagation by its name: `rslave` is `{ type: "slave", recursive: true }`. @returns `null` for any other word */
export function parsePropagation(option: string): Propagation | null {
  const recursive = option.startsWith("r");
  const type = recursive ? option.slice(1) : option;
  return PROPAGATION_OPTIONS.includes(type) ? { type: type as PropagationType, recursive } : null;
}

/** The name of a propagation: the inverse of {@link parsePropagation}. */
export function propagationName({ type, recursive }: Propagation): string {
  return recursive ? `r${type}` : type;
}

/** Every option that is not left to the filesystem, sorted: `mountOptions` of the features document. */
export function knownMountOptions(): string[] {
  return [
    ...Object.keys(FLAG_OPTIONS),
    ...ATTRIBUTE_OPTIONS.map((name) => `r${name}`),
    ...PROPAGATION_OPTIONS.flatMap((name) => [name, `r${name}`]),
    ...OTHER_OPTIONS,
  ].sort();
}
