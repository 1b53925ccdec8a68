/** The options of every function, and what each takes: for callers without types. */
import { checkKind, checkObject, checkOptions, isObject, type Kind, type Table, type TableOf } from "./check.ts";
import type { ExecOptions, LogOptions } from "./container.ts";
import type { CommonOptions } from "./executable.ts";
import type { BuildOptions, BuildSecret, ImportOptions, PullOptions } from "./image.ts";
import type { StreamOptions } from "./process.ts";
import type { RegistryOptions } from "./registry.ts";
import type { BundleRunOptions, ImageRunOptions, Limits, RunOptions, Volume } from "./run-options.ts";
import type { ValidateOptions } from "./validate.ts";

const isText = (given: unknown) => typeof given === "string";
const isNumber = (given: unknown) => typeof given === "number" && !Number.isNaN(given);
const isFunction = (given: unknown) => typeof given === "function";
const has = (given: unknown, method: string) => isObject(given) && isFunction((given as Table)[method]);
const areAll = (given: unknown, fits: (one: unknown) => boolean) => Array.isArray(given) && given.every(fits);

const TEXT: Kind = { expected: "a string", fits: isText };
const FILLED: Kind = { expected: "a string that is not empty", fits: (given) => isText(given) && given !== "" };
const TEXTS: Kind = { expected: "an array of strings", fits: (given) => areAll(given, isText) };
const COMMAND: Kind = {
  expected: "an array of strings that is not empty",
  fits: (given) => areAll(given, isText) && (given as []).length > 0,
};
const TEXTS_BY_NAME: Kind = {
  expected: "an object of strings",
  fits: (given) => isObject(given) && Object.values(given as object).every(isText),
};
const NUMBER: Kind = { expected: "a number", fits: isNumber };
const AMOUNT: Kind = { expected: "a number or a string", fits: (given) => isNumber(given) || isText(given) };
const BOOLEAN: Kind = { expected: "true or false", fits: (given) => typeof given === "boolean" };
const FUNCTION: Kind = { expected: "a function", fits: isFunction };
const SIGNAL: Kind = { expected: "an AbortSignal", fits: (given) => has(given, "addEventListener") };
const SOURCE: Kind = {
  expected: "a string that is not empty, or a stream",
  fits: (given) => FILLED.fits(given) || has(given, "pipe"),
};

const oneOf = (...values: readonly string[]): Kind => ({
  expected: values.map((one) => JSON.stringify(one)).join(" or "),
  fits: (given) => values.includes(given as string),
});
const object = (within: Table): Kind => ({ expected: "an object", fits: isObject, within });
const objects = (within?: Table): Kind => ({
  expected: "an array of objects",
  fits: (given) => areAll(given, isObject),
  ...(within === undefined ? {} : { within }),
});

const COMMON: TableOf<CommonOptions> = { executable: FILLED, store: FILLED, root: FILLED, signal: SIGNAL };

const STREAM = oneOf("pipe", "inherit", "ignore");
const STREAMS: TableOf<StreamOptions> = { stdin: STREAM, stdout: STREAM, stderr: STREAM };

const REGISTRY: TableOf<RegistryOptions> = {
  ...{ credentials: TEXT, authFile: TEXT, certDir: TEXT },
  ...{ plainHttp: BOOLEAN, tlsVerify: BOOLEAN, retries: NUMBER, timeout: NUMBER },
};

const LIMITS: TableOf<Limits> = { memory: AMOUNT, cpus: NUMBER, pids: NUMBER };
const VOLUME: TableOf<Volume> = { source: TEXT, destination: TEXT, options: TEXTS };
const USER: TableOf<NonNullable<BundleRunOptions["user"]>> = {
  ...{ uid: NUMBER, gid: NUMBER, umask: NUMBER },
  additionalGids: { expected: "an array of numbers", fits: (given) => areAll(given, isNumber) },
};

const RUN: TableOf<RunOptions> = {
  ...COMMON,
  ...STREAMS,
  ...{ name: TEXT, detach: BOOLEAN, env: TEXTS_BY_NAME, cwd: TEXT, hostname: TEXT, readOnly: BOOLEAN },
  limits: object(LIMITS),
};

const IMAGE_RUN: TableOf<Omit<ImageRunOptions, "bundle">> = {
  ...{ image: TEXT, args: TEXTS, entrypoint: TEXT, user: TEXT, volumes: objects(VOLUME) },
  ...{ network: oneOf("none", "host", "pasta"), publish: TEXTS, annotations: TEXTS_BY_NAME, platform: TEXT },
  ...{ copy: BOOLEAN, stopSignal: TEXT, stopTimeout: NUMBER, logSize: NUMBER },
  ...RUN,
};

const BUNDLE_RUN: TableOf<Omit<BundleRunOptions, "image">> = {
  // The runtime says what is wrong in the members that are config.json's.
  ...{ bundle: TEXT, args: TEXTS, user: object(USER), mounts: objects(), network: oneOf("none", "host") },
  spec: { expected: "an object or a function", fits: (given) => isObject(given) || isFunction(given) },
  ...RUN,
};

const PULL: TableOf<PullOptions> = { ...COMMON, ...REGISTRY, platform: TEXT, all: BOOLEAN, onProgress: FUNCTION };

const SECRET: TableOf<Extract<BuildSecret, { file: string }> & Extract<BuildSecret, { variable: string }>> = {
  ...{ id: TEXT, file: TEXT, variable: TEXT },
};

const BUILD: TableOf<BuildOptions> = {
  ...{ context: SOURCE, file: TEXT, tags: TEXTS, buildArgs: TEXTS_BY_NAME, target: TEXT, labels: TEXTS_BY_NAME },
  ...{ secrets: objects(SECRET), network: oneOf("none", "host"), noCache: BOOLEAN, pull: BOOLEAN, squash: BOOLEAN },
  ...{ compression: oneOf("gzip", "zstd"), output: TEXT, platform: TEXT, sourceDateEpoch: NUMBER },
  ...{ onProgress: FUNCTION, ...COMMON, ...REGISTRY },
};

const IMPORT: TableOf<ImportOptions> = {
  ...{ name: TEXT, changes: TEXTS, message: TEXT, platform: TEXT, onProgress: FUNCTION },
  ...COMMON,
};

const EXEC: TableOf<ExecOptions> = { ...STREAMS, user: TEXT, cwd: TEXT, env: TEXTS_BY_NAME, signal: SIGNAL };
const LOGS: TableOf<LogOptions> = { follow: BOOLEAN, tail: NUMBER, timestamps: BOOLEAN, signal: SIGNAL };
const VALIDATE: TableOf<ValidateOptions> = { uid: NUMBER, forCreate: BOOLEAN };

const OF_AN_IMAGE = "a container of an image";
const OF_A_BUNDLE = "a container of a bundle";

/**
 * @throws {TypeError} where the options are none, or one of them is unknown or of another type, or there is not one of `image` and `bundle`; so do
 * all of these functions, for theirs
 */
export function checkRun(options: unknown): void {
  checkObject("run", "options", options);
  const { image, bundle } = options as { image?: unknown; bundle?: unknown };
  const isGiven = (one: unknown) => one !== undefined && one !== "";
  if (isGiven(image) && isGiven(bundle)) throw new TypeError("run: one of `image` and `bundle` is expected, not both");
  // What is misspelt may be these themselves.
  if (!isGiven(image) && !isGiven(bundle)) {
    checkOptions("run", options, { ...IMAGE_RUN, ...BUNDLE_RUN, user: { expected: "", fits: () => true } });
    throw new TypeError("run: one of `image` and `bundle` is expected");
  }
  const { image: _, ...ofImages } = IMAGE_RUN;
  const { bundle: __, ...ofBundles } = BUNDLE_RUN;
  if (isGiven(image)) checkOptions("run", options, { ...IMAGE_RUN, bundle: TEXT }, [ofBundles, OF_A_BUNDLE]);
  else checkOptions("run", options, { ...BUNDLE_RUN, image: TEXT }, [ofImages, OF_AN_IMAGE]);
}

export function checkOpen(name: unknown, options: unknown): void {
  checkKind("openContainer", "name", name, FILLED);
  checkOptions("openContainer", options, COMMON);
}

export function checkPull(reference: unknown, options: unknown): void {
  checkKind("pull", "reference", reference, FILLED);
  checkOptions("pull", options, PULL);
}

export function checkBuild(options: unknown): void {
  checkOptions("build", options, BUILD);
  checkKind("build", "context", (options as BuildOptions).context, SOURCE);
}

export function checkImport(source: unknown, options: unknown): void {
  checkKind("importImage", "source", source, SOURCE);
  checkOptions("importImage", options, IMPORT);
}

export function checkInspect(image: unknown, options: unknown): void {
  checkKind("inspectImage", "image", image, FILLED);
  checkOptions("inspectImage", options, { ...COMMON, platform: TEXT });
}

export function checkExec(args: unknown, options: unknown): void {
  checkKind("exec", "args", args, COMMAND);
  checkOptions("exec", options, EXEC);
}

export function checkLogs(options: unknown): void {
  checkOptions("logs", options, LOGS);
}

export function checkStop(options: unknown): void {
  checkOptions("stop", options, { timeout: NUMBER });
}

export function checkValidate(options: unknown): void {
  checkOptions("validate", options, VALIDATE);
}
