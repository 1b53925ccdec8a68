/** The options that `image bundle` and `image run` share, spelled as `docker run` has them, and what they become. */
import type { BundleOptions } from "../image/bundle/options.ts";
import { normalize } from "../sys/path-names.ts";
import { fileNames } from "./file-name.ts";
import { platformOption, quietOption, storeOptions } from "./image-options.ts";
import { choice, list, type OptionValues, optionalToggle, text, toggle } from "./option.ts";
import { asUsage, UsageError } from "./usage-error.ts";

export const imageBundleOptions = {
  ...storeOptions,
  ...platformOption,
  copy: toggle("make a plain tree instead of mounting shared layers, as for an ordinary user in any case"),
  rootless: optionalToggle(
    "map root in the container to the caller (default: for an ordinary user); makes a plain tree",
  ),
  entrypoint: text("COMMAND", "execute this in the place of the image's entrypoint; empty for none"),
  env: list("NAME=VALUE", "set a variable; NAME alone takes the caller's", { short: "e" }),
  "env-file": fileNames("FILE", "set variables that a file has, a NAME=VALUE a line; those of --env count before them"),
  user: text("USER[:GROUP]", "names of the image, or numbers", { short: "u" }),
  workdir: text("DIR", "the working directory", { short: "w" }),
  hostname: text("NAME", "the host name, up to 64 characters (default: tsrunc)"),
  tty: toggle("with a terminal", { short: "t" }),
  volume: list("SRC:DST[:OPTIONS]", "bind mount SRC of the host on DST", { short: "v" }),
  tmpfs: list(
    "DST[:OPTIONS]",
    "mount a tmpfs on DST; with noexec, nosuid and nodev where OPTIONS do not say otherwise",
  ),
  "read-only": toggle("mount the root filesystem read-only"),
  "cap-add": list("NAME", "give a capability besides the usual ones, such as NET_ADMIN; ALL for all"),
  "cap-drop": list("NAME", "take a capability; ALL for all but those of --cap-add"),
  "shm-size": text("BYTES", "the size of /dev/shm: bytes, or with k, m, g (default: 64m)"),
  memory: text("BYTES", "limit memory: bytes, or with k, m, g; 0 for no limit", { short: "m" }),
  cpus: text("N", "limit processors, maybe to a fraction; 0 for no limit"),
  "pids-limit": text("N", "limit processes; -1 or 0 for no limit"),
  network: choice(["none", "host"], "none: only a loopback interface; host: the caller's network (default: none)"),
  annotation: list("NAME=VALUE", "add an annotation"),
  "max-entries": text("N", "entries of a layer at most (default: 4000000)"),
  "max-bytes": text("BYTES", "what a layer unpacks to at most (default: 256g)"),
  "max-ratio": text("N", "how many times larger than compressed a layer may be (default: 200)"),
  "max-depth": text("N", "components of a path in a layer at most (default: 256)"),
  ...quietOption,
} as const;

type Values = OptionValues<typeof imageBundleOptions>;

/**
 * @param args what follows the image: in the place of its own arguments, if any
 * @param named volumes besides, whose places are taken
 * @throws {UsageError}
 */
export async function toBundleOptions(
  values: Values,
  args: readonly string[],
  named: readonly { destination: string }[] = [],
): Promise<BundleOptions> {
  const { parseMemory, parseTmpfs, parseVolume, refuseSharedDestinations } = await import("../image/bundle/options.ts");
  const { chooseCapabilities } = await import("../image/bundle/capabilities.ts");
  const { readEnvFile } = await import("../image/bundle/env-file.ts");
  const { DEFAULT_LIMITS } = await import("../image/layer/limits.ts");
  const number = (name: "pids-limit" | "max-entries" | "max-ratio" | "max-depth") => {
    const given = values[name];
    if (given === undefined) return null;
    if (!/^[1-9]\d*$/.test(given))
      throw new UsageError(`--${name} ${JSON.stringify(given)}: a number above 0 is expected`);
    return Number(given);
  };
  const bytes = (name: "memory" | "shm-size" | "max-bytes") => {
    const given = values[name];
    return given === undefined ? null : asUsage(() => parseMemory(`--${name}`, given));
  };
  // A path alone is a volume that nobody names.
  const isUnnamed = (volume: string) => /^\/[^:]*$/.test(volume);
  const unnamed = values.volume.filter(isUnnamed);
  if (unnamed.some((path) => normalize(path) === "/"))
    throw new UsageError('--volume "/": the destination must not be /');
  const mounts = values.volume
    .filter((volume) => !isUnnamed(volume))
    .map((volume) => asUsage(() => parseVolume(volume)));
  const tmpfs = values.tmpfs.map((one) => asUsage(() => parseTmpfs(one)));
  asUsage(() =>
    refuseSharedDestinations([...named, ...mounts, ...tmpfs, ...unnamed.map((destination) => ({ destination }))]),
  );
  const rootless = values.rootless ?? process.geteuid?.() !== 0;
  return {
    // What an ordinary user mounts nobody else sees, the runtime among them.
    form: values.copy || rootless || process.geteuid?.() !== 0 ? "copy" : "overlay",
    rootless,
    args: args.length > 0 ? args : null,
    entrypoint: values.entrypoint === undefined ? null : values.entrypoint === "" ? [] : [values.entrypoint],
    env: [...values["env-file"].flatMap((path) => asUsage(() => readEnvFile(path))), ...values.env].flatMap(variable),
    user: values.user || null,
    cwd: workdir(values.workdir),
    hostname: hostname(values.hostname),
    tty: values.tty,
    mounts,
    tmpfs,
    unnamedVolumes: unnamed,
    readOnly: values["read-only"],
    capabilities: asUsage(() => chooseCapabilities(values["cap-add"], values["cap-drop"])),
    shmSize: bytes("shm-size"),
    memory: isNone(values.memory) ? null : bytes("memory"),
    cpus: isNone(values.cpus) ? null : cpus(values.cpus as string),
    pids: isNone(values["pids-limit"], "-1") ? null : number("pids-limit"),
    network: values.network as "none" | "host",
    annotations: Object.fromEntries(values.annotation.map(annotation)),
    limits: {
      entries: number("max-entries") ?? DEFAULT_LIMITS.entries,
      bytes: bytes("max-bytes") ?? DEFAULT_LIMITS.bytes,
      ratio: number("max-ratio") ?? DEFAULT_LIMITS.ratio,
      depth: number("max-depth") ?? DEFAULT_LIMITS.depth,
    },
  };
}

/** Whether no limit is asked for: by nothing, by 0, or by another word for that. */
function isNone(given: string | undefined, ...others: string[]): boolean {
  return given === undefined || /^0+(\.0+)?$/.test(given) || others.includes(given);
}

/** The kernel knows no less than a hundredth of a processor. */
function cpus(given: string): number {
  if (/^\d+(\.\d+)?$/.test(given) && Number(given) >= 0.01) return Number(given);
  throw new UsageError(`--cpus ${JSON.stringify(given)}: a number of 0.01 or more is expected, or 0 for no limit`);
}

/** An empty one is none, as for Docker. @throws {UsageError} */
export function workdir(given: string | undefined): string | null {
  if (given === undefined || given === "") return null;
  if (given.startsWith("/")) return given;
  throw new UsageError(`--workdir ${JSON.stringify(given)}: an absolute path is expected`);
}

/** @see sethostname(2) */
function hostname(given: string | undefined): string | null {
  if (given === undefined || given === "") return null;
  if (Buffer.byteLength(given) <= 64 && !/[\s\p{Cc}]/u.test(given)) return given;
  throw new UsageError(`--hostname ${JSON.stringify(given)}: up to 64 characters are right, with no blank among them`);
}

/**
 * `NAME` alone is the caller's variable, if there is one: as docker run has it.
 * @throws {UsageError}
 */
export function variable(given: string): string[] {
  if (given.startsWith("=") || given === "")
    throw new UsageError(`--env ${JSON.stringify(given)}: NAME=VALUE is right`);
  if (given.includes("=")) return [given];
  const value = process.env[given];
  return value === undefined ? [] : [`${given}=${value}`];
}

function annotation(given: string): [string, string] {
  const at = given.indexOf("=");
  if (at < 1) throw new UsageError(`--annotation ${JSON.stringify(given)}: NAME=VALUE is right`);
  return [given.slice(0, at), given.slice(at + 1)];
}
