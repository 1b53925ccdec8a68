/** The configuration that a bundle is run with: its own, changed by options. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Process, Resources, Spec } from "../config/types.ts";
import { TsruncError } from "./error.ts";
import { parseExactly, writeExactly } from "./exact-json.ts";
import type { BundleRunOptions, Limits } from "./run-options.ts";

/**
 * The text of the configuration; `null` where it is the bundle's own.
 * @throws {TsruncError} `BAD_OPTION` where that cannot be read
 */
export function bundleConfig(options: BundleRunOptions): string | null {
  const { bundle, spec, args, env, user, cwd, mounts, network, hostname, readOnly, limits } = options;
  const changes = [spec, args, env, user, cwd, mounts, network, hostname, readOnly, limits];
  if (changes.every((change) => change === undefined)) return null;
  const given = typeof spec === "object" ? spec : read(join(bundle, "config.json"));
  return writeExactly(change(typeof spec === "function" ? spec(given) : given, options)) ?? "";
}

function read(path: string): Spec {
  try {
    return parseExactly(readFileSync(path, "utf8")) as Spec;
  } catch (cause) {
    throw new TsruncError("BAD_OPTION", `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** What the options come to; the runtime says whether it is valid. */
export function change(spec: Spec, options: BundleRunOptions): Spec {
  const { mounts = [], network, hostname, readOnly, limits } = options;
  const process = changeProcess(spec.process, options);
  return {
    ...spec,
    ...(process === undefined ? {} : { process }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(readOnly === undefined || spec.root === undefined ? {} : { root: { ...spec.root, readonly: readOnly } }),
    ...(mounts.length === 0 ? {} : { mounts: [...(spec.mounts ?? []), ...mounts] }),
    ...(network === undefined && limits === undefined
      ? {}
      : {
          linux: {
            ...spec.linux,
            ...(network === undefined ? {} : { namespaces: namespaces(spec, network) }),
            ...(limits === undefined ? {} : { resources: changeResources(spec.linux?.resources, limits) }),
          },
        }),
  };
}

function changeProcess(given: Process | undefined, options: BundleRunOptions): Process | undefined {
  const { args, env, user, cwd } = options;
  if ([args, env, user, cwd].every((change) => change === undefined)) return given;
  const process: Process = given ?? { cwd: "/" };
  const names = Object.keys(env ?? {});
  const kept = (process.env ?? []).filter((line) => !names.some((name) => line.startsWith(`${name}=`)));
  return {
    ...process,
    ...(args === undefined ? {} : { args: [...args] }),
    ...(env === undefined ? {} : { env: [...kept, ...Object.entries(env).map(([name, one]) => `${name}=${one}`)] }),
    ...(user === undefined ? {} : { user: { ...user } }),
    ...(cwd === undefined ? {} : { cwd }),
  };
}

function namespaces(spec: Spec, network: "none" | "host"): NonNullable<NonNullable<Spec["linux"]>["namespaces"]> {
  const others = (spec.linux?.namespaces ?? []).filter(({ type }) => type !== "network");
  return network === "host" ? others : [...others, { type: "network" }];
}

/** Microseconds. */
const PERIOD = 100_000;

function changeResources(given: Resources = {}, { memory, cpus, pids }: Limits): Resources {
  return {
    ...given,
    ...(memory === undefined ? {} : { memory: { ...given.memory, limit: bytes(memory) } }),
    ...(cpus === undefined ? {} : { cpu: { ...given.cpu, period: PERIOD, quota: Math.round(cpus * PERIOD) } }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
  };
}

function bytes(memory: number | string): number {
  if (typeof memory === "number") return memory;
  const [, digits, unit = ""] = /^(\d+)([kmg]?)b?$/i.exec(memory) ?? [];
  if (digits === undefined)
    throw new TsruncError(
      "BAD_OPTION",
      `limits.memory: ${JSON.stringify(memory)}: bytes are expected, or with k, m, g`,
    );
  return Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase());
}
