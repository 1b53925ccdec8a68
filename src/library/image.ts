/** Images: fetched, built, and made of a root filesystem. */
import { type CommandResult, execute, parseOutput, storeArguments } from "./command.ts";
import { TsruncError } from "./error.ts";
import type { CommonOptions } from "./executable.ts";
import { checkBuild, checkImport, checkInspect, checkPull } from "./option-tables.ts";
import { type BuildEvent, eventTaker, parseEvent, type TransferEvent } from "./progress.ts";
import { pairs, type RegistryOptions, registryArguments, value, values } from "./registry.ts";

/** `sha256:` and 64 hexadecimal digits. */
export type Digest = `sha256:${string}`;

export interface PullOptions extends CommonOptions, RegistryOptions {
  /** `OS/ARCH[/VARIANT]`; default: this machine's. */
  platform?: string;
  /** Fetch the images of all platforms. */
  all?: boolean;
  onProgress?: (event: TransferEvent) => void;
}

export interface PulledImage {
  /** The name that the image has in the store now, such as `docker.io/library/alpine:latest`. */
  name: string;
  /** What the reference leads to at the registry: of an index, where there is one. */
  digest: Digest;
  /** Whether all of it was there before. */
  upToDate: boolean;
  warnings: string[];
}

/**
 * Fetches an image from a registry into the store, as `tsrunc image pull` does.
 * @param reference as Docker reads it: `alpine` is `docker.io/library/alpine:latest`
 * @throws {TsruncError} `FAILED` with the reason
 */
export async function pull(reference: string, options: PullOptions = {}): Promise<PulledImage> {
  checkPull(reference, options);
  const args = [
    ...["image", "pull", "--format=json", "--progress=json"],
    ...storeArguments(options),
    ...value("--platform", options.platform),
    ...(options.all ? ["--all"] : []),
    ...registryArguments(options),
    ...["--", reference],
  ];
  const { stdout, warnings } = await execute(args, { ...options, onLine: eventTaker(options.onProgress) });
  return { ...parseOutput<Omit<PulledImage, "warnings">>(stdout, "image pull"), warnings };
}

/** What a build gives a `RUN --mount=type=secret`: a file, or a variable of this process's. */
export type BuildSecret = { id: string; file: string } | { id: string; variable: string };

export interface BuildOptions extends CommonOptions, RegistryOptions {
  /** A directory, or a tar archive as a stream. */
  context: string | NodeJS.ReadableStream;
  /** The Dockerfile; default: `Dockerfile` in the context. */
  file?: string;
  /** Names that the image gets. */
  tags?: readonly string[];
  buildArgs?: Readonly<Record<string, string>>;
  /** The stage that is built, by name or number; default: the last. */
  target?: string;
  labels?: Readonly<Record<string, string>>;
  secrets?: readonly BuildSecret[];
  /** The network of `RUN`; default: one of its own by pasta, where that is installed, else the host's. */
  network?: "none" | "host";
  /** Carry out every step. */
  noCache?: boolean;
  /** Fetch base images anew. */
  pull?: boolean;
  /** Make one layer of those that are built. */
  squash?: boolean;
  compression?: "gzip" | "zstd";
  /** Where the result is written, too: a directory, or `type=local|tar|oci|docker,dest=PATH`. */
  output?: string;
  platform?: string;
  /** The time that everything in the image gets, in seconds since 1970. */
  sourceDateEpoch?: number;
  onProgress?: (event: BuildEvent) => void;
}

export interface BuiltImage {
  /** The digest of its configuration: an image's id. */
  id: Digest;
  /** Of its manifest. */
  digest: Digest;
  /** Bytes of configuration and layers, as they are in the store. */
  size: number;
  /** What is odd in the Dockerfile, a line each. */
  warnings: string[];
}

/**
 * Builds an image from a Dockerfile, as `tsrunc image build` does.
 * @throws {TsruncError} `FAILED` with the reason; one in the Dockerfile begins with file, line and column
 */
export async function build(options: BuildOptions): Promise<BuiltImage> {
  checkBuild(options);
  const { context, sourceDateEpoch } = options;
  const isPath = typeof context === "string";
  const args = [
    ...["image", "build", "--progress=json"],
    ...storeArguments(options),
    ...value("--file", options.file),
    ...values("--tag", options.tags),
    ...pairs("--build-arg", options.buildArgs),
    ...value("--target", options.target),
    ...pairs("--label", options.labels),
    ...values("--secret", options.secrets?.map(secretText)),
    ...value("--network", options.network),
    ...(options.noCache ? ["--no-cache"] : []),
    ...(options.pull ? ["--pull"] : []),
    ...(options.squash ? ["--squash"] : []),
    ...value("--compression", options.compression),
    ...value("--output", options.output),
    ...value("--platform", options.platform),
    ...registryArguments(options),
    ...["--", isPath ? context : "-"],
  ];
  const warnings: string[] = [];
  const take = eventTaker(options.onProgress);
  const built = await execute(args, {
    ...options,
    ...(isPath ? {} : { input: context }),
    ...(sourceDateEpoch === undefined ? {} : { variables: { SOURCE_DATE_EPOCH: `${sourceDateEpoch}` } }),
    onLine: (line) => {
      const event = parseEvent(line) as BuildEvent | null;
      if (event?.kind === "warning") warnings.push(event.message);
      take(line);
    },
  });
  const id = built.stdout.trim() as Digest;
  const { digest, size } = await inspect(id, options);
  return { id, digest, size, warnings: [...warnings, ...built.warnings] };
}

function secretText(secret: BuildSecret): string {
  return "file" in secret ? `id=${secret.id},src=${secret.file}` : `id=${secret.id},env=${secret.variable}`;
}

export interface ImportOptions extends CommonOptions {
  /** What the image is called. */
  name?: string;
  /** Instructions of a Dockerfile: `CMD ["/bin/sh"]`, `ENV PATH=/bin`. */
  changes?: readonly string[];
  /** A comment for its history. */
  message?: string;
  platform?: string;
  onProgress?: (event: TransferEvent) => void;
}

/**
 * Makes an image of one layer from a root filesystem, as `tsrunc image import` does.
 * @param source a directory; or a tar archive, plain or compressed by gzip or zstd, as a file or a stream
 */
export async function importImage(
  source: string | NodeJS.ReadableStream,
  options: ImportOptions = {},
): Promise<{ digest: Digest; warnings: string[] }> {
  checkImport(source, options);
  const isPath = typeof source === "string";
  const args = [
    ...["image", "import", "--progress=json"],
    ...storeArguments(options),
    ...values("--change", options.changes),
    ...value("--message", options.message),
    ...value("--platform", options.platform),
    ...["--", isPath ? source : "-"],
    ...(options.name === undefined ? [] : [options.name]),
  ];
  const { stdout, warnings } = await execute(args, {
    ...options,
    ...(isPath ? {} : { input: source }),
    onLine: eventTaker(options.onProgress),
  });
  return { digest: stdout.trim() as Digest, warnings };
}

/** All there is to know of an image, as `tsrunc image inspect` prints it. */
export interface ImageInfo {
  id: Digest;
  names: string[];
  digest: Digest;
  /** Of the index that it was chosen from, if there was one. */
  chosenFrom: Digest | null;
  /** `linux/amd64`. */
  platform: string;
  /** RFC 3339. */
  created: string | null;
  author: string | null;
  size: number;
  mediaType: string;
  /** The image's own `config`. @see image-spec, config.md */
  config: Record<string, unknown> | null;
  annotations: Record<string, string>;
  layers: { digest: Digest; diffId: Digest; mediaType: string; size: number; sharedWith: string[] }[];
  history: { created?: string; created_by?: string; author?: string; comment?: string; empty_layer?: boolean }[];
}

/** @throws {TsruncError} `FAILED` where there is none */
export async function inspectImage(
  image: string,
  options: CommonOptions & { platform?: string } = {},
): Promise<ImageInfo> {
  checkInspect(image, options);
  return inspect(image, options);
}

async function inspect(image: string, options: CommonOptions & { platform?: string }): Promise<ImageInfo> {
  const args = ["image", "inspect", ...storeArguments(options), ...value("--platform", options.platform), "--", image];
  const { stdout }: CommandResult = await execute(args, options);
  const [info] = parseOutput<ImageInfo[]>(stdout, "image inspect");
  if (info === undefined) throw new TsruncError("BAD_OUTPUT", `tsrunc image inspect ${image}: nothing was printed`);
  return info;
}
