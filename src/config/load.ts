/** Reads and validates config.json and parts of it. For process.json see `load-process.ts`. */
import { basename, join } from "../sys/path-names.ts";
import { ConfigError, inFile } from "./error.ts";
import { isSpec } from "./generated/config.js";
import { readJson, readValid } from "./json.ts";
import { check } from "./schema.ts";
import type { Mount, Spec } from "./types.ts";
import { findOnHost } from "./validate/host.ts";
import { validateMounts } from "./validate/mounts.ts";
import { Subject } from "./validate/subject.ts";
import { validateMeaning } from "./validate.ts";

/** Who validates, and what for. */
export interface LoadOptions {
  /** Effective uid; default: this process's. */
  euid?: number;
  /** Whether the runtime is in a user namespace other than the initial one; default false. */
  inUserNamespace?: boolean;
  /** Whether a container is to be made from it, which takes more than being valid (a process); default true. */
  forCreate?: boolean;
  /** Takes what is wrong but no reason to stop. */
  warn?: (message: string) => void;
}

/**
 * Loads config.json: parsed, valid by its schema, and sensible. With `forCreate` it has a `root` and a `process` with `args`.
 * What depends on this machine (whether the rootfs exists, …) is for `validateOnHost`.
 * @throws {Error} `JSON specification file config.json not found in <directory>`
 * @throws {ConfigError}
 */
export function loadConfig(path: string, options: LoadOptions = {}): Spec {
  const spec = readValid(path, isSpec);
  const file = basename(path);
  inFile(file, () => {
    const { warnings } = validateMeaning(spec, hostOf(options));
    for (const warning of warnings) options.warn?.(`${file}: ${warning}`);
  });
  return spec;
}

/**
 * Loads what `mounts add` and `mounts remove` are given: an array such as config.json's `mounts`.
 * @param container the configuration of the container that the mounts are for
 * @throws {Error} when there is no such file
 * @throws {ConfigError}
 */
export function loadMounts(path: string, container: Spec, options: LoadOptions = {}): Mount[] {
  const document = readJson(path);
  const file = basename(path);
  try {
    const spec: unknown = { ociVersion: "1.3.0", mounts: document };
    check(isSpec, spec, file);
    const { mounts = [] } = spec;
    validateMounts(new Subject({ ...container, mounts }, hostOf(options)));
    return mounts;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(error.pointer.replace(/^\/mounts/, ""), error.value, error.rule, file);
  }
}

/**
 * Validates a bundle without making anything of it, as `tsrunc validate` does. A valid config.json that this machine, or
 * any runtime, could not make a container of (there is no `process`, the rootfs is missing) gets warnings only.
 * @param bundle directory that holds config.json
 * @throws {Error} `JSON specification file config.json not found in <directory>`
 * @throws {ConfigError}
 */
export function validateBundle(bundle: string, options: LoadOptions = {}): { warnings: string[] } {
  const path = join(bundle, "config.json");
  const warnings: string[] = [];
  const spec = loadConfig(path, { forCreate: false, ...options, warn: (message) => warnings.push(message) });
  for (const error of findOnHost(spec, bundle)) warnings.push(`not on this machine: ${error.message}`);
  return { warnings };
}

/** Checks a configuration that was kept, and was valid then. @throws {ConfigError} @see check */
export function checkKept(document: unknown, file: string): asserts document is Spec {
  check(isSpec, document, file);
}

function hostOf({ euid, inUserNamespace = false, forCreate = true }: LoadOptions) {
  return { euid: euid ?? process.geteuid?.() ?? 0, inUserNamespace, forCreate };
}
