/** What containers are run with. */
import type { Mount, Spec } from "../config/types.ts";
import type { CommonOptions } from "./executable.ts";
import type { StreamOptions } from "./process.ts";
import { pairs, value, values } from "./registry.ts";

/** Limits of a container's cgroup. */
export interface Limits {
  /** Bytes; with `k`, `m` or `g` as a string. */
  memory?: number | string;
  /** Processors, maybe a fraction of one. */
  cpus?: number;
  /** Processes and threads. */
  pids?: number;
}

/** What both kinds of containers have. */
export interface RunOptions extends CommonOptions, StreamOptions {
  /** The container's name; default: one of its own. */
  name?: string;
  /**
   * Let it go on when this program ends. It has no streams here; without it, it is killed and removed when this program exits, and removed when its
   * process ends.
   */
  detach?: boolean;
  /** Variables, besides those of the image or bundle. */
  env?: Readonly<Record<string, string>>;
  /** The working directory. */
  cwd?: string;
  hostname?: string;
  /** Mount the root filesystem read-only. */
  readOnly?: boolean;
  limits?: Limits;
}

/** A volume: a named one, or a directory of the host's, on a directory of the container's. */
export interface Volume {
  /** The name of a volume, which outlives the container; or a path of the host's. */
  source: string;
  destination: string;
  /** Such as `ro`. */
  options?: readonly string[];
}

/** A container of an image. */
export interface ImageRunOptions extends RunOptions {
  image: string;
  bundle?: never;
  /** In the place of the image's `Cmd`. */
  args?: readonly string[];
  /** In the place of the image's entrypoint; `""` for none. */
  entrypoint?: string;
  /** `USER[:GROUP]`, names of the image or numbers. */
  user?: string;
  volumes?: readonly Volume[];
  /**
   * `none`: only a loopback interface; `host`: this machine's network; `pasta`: a network of its own (of the package `passt`). Default: `none`, and with
   * `publish` `pasta`.
   */
  network?: "none" | "host" | "pasta";
  /** Ports of the host's that lead to the container's: `[[ADDR:]PORT:]PORT[/udp]`. */
  publish?: readonly string[];
  annotations?: Readonly<Record<string, string>>;
  platform?: string;
  /** Make a plain tree instead of mounting shared layers. */
  copy?: boolean;
  /** What `stop` sends; default: the image's, or TERM. */
  stopSignal?: string;
  /** Seconds until `stop` kills; default: the image's, or 10. */
  stopTimeout?: number;
  /** Bytes that the log takes at most; default 10 MiB. */
  logSize?: number;
}

/** A container of a bundle: a directory with a `config.json`. */
export interface BundleRunOptions extends RunOptions {
  bundle: string;
  image?: never;
  /** In the place of `process.args`. */
  args?: readonly string[];
  /** Ids, in the container's user namespace. */
  user?: { uid: number; gid: number; additionalGids?: number[]; umask?: number };
  /** Mounted besides, after the others. */
  mounts?: readonly Mount[];
  /** `none`: a network of its own with only a loopback interface; `host`: this machine's; default: as config.json has it. */
  network?: "none" | "host";
  /** In the place of the bundle's config.json, which stays as it is: another one, or a function that makes one of it. */
  spec?: Spec | ((spec: Spec) => Spec);
}

/** What follows `image run` and the options of its own. */
export function imageRunArguments(options: ImageRunOptions): string[] {
  const { image, args = [], env, limits = {}, volumes } = options;
  return [
    ...(options.copy ? ["--copy"] : []),
    ...value("--platform", options.platform),
    ...value("--entrypoint", options.entrypoint),
    ...pairs("--env", env),
    ...value("--user", options.user),
    ...value("--workdir", options.cwd),
    ...value("--hostname", options.hostname),
    ...values("--volume", volumes?.map(volumeText)),
    ...(options.readOnly ? ["--read-only"] : []),
    ...value("--memory", limits.memory),
    ...value("--cpus", limits.cpus),
    ...value("--pids-limit", limits.pids),
    ...value("--network", options.network),
    ...values("--publish", options.publish),
    ...pairs("--annotation", options.annotations),
    ...value("--stop-signal", options.stopSignal),
    ...value("--stop-timeout", options.stopTimeout),
    ...value("--log-size", options.logSize),
    ...["--", image, ...args],
  ];
}

function volumeText({ source, destination, options = [] }: Volume): string {
  return [source, destination, ...(options.length > 0 ? [options.join(",")] : [])].join(":");
}
