/** Options that commands on images share. */
import type { ArchiveLimits } from "../image/archive/decompress.ts";
import type { RegistryOptions } from "../image/operations/pull.ts";
import type { Reporter } from "../image/progress/reporter.ts";
import type { Platform } from "../image/store/documents.ts";
import type { Store } from "../image/store/store.ts";
import { fileName } from "./file-name.ts";
import { choice, count, type OptionValues, text, toggle } from "./option.ts";
import { asUsage, UsageError } from "./usage-error.ts";

export const storeOptions = {
  store: fileName("DIR", "where images are kept (default: /var/lib/tsrunc, or an ordinary user's data directory)"),
} as const;

export const quietOption = {
  quiet: toggle("show no progress", { short: "q" }),
} as const;

export const progressOption = {
  progress: choice(
    ["auto", "json"],
    "auto: for a person, by what stderr is; json: an object a line on stderr (default: auto)",
  ),
} as const;

export const formatOption = {
  format: choice(["table", "json"], "table or json (default: table)", { short: "f" }),
} as const;

export const platformOption = {
  platform: text("OS/ARCH[/VARIANT]", "choose the image for another platform (default: this machine's)"),
} as const;

export const archiveLimitOptions = {
  "max-bytes": text("BYTES", "what an archive unpacks to at most (default: 256g)"),
  "max-ratio": text("N", "how many times larger than compressed it may be (default: 200)"),
} as const;

export const resultOption = {
  format: choice(["text", "json"], "text or json (default: text)", { short: "f" }),
} as const;

export const registryOptions = {
  creds: text("USER:PASSWORD", "credentials for the registry (default: those of login, Docker and Podman)"),
  authfile: fileName(
    "FILE",
    "where credentials are kept (default: $REGISTRY_AUTH_FILE, containers' auth.json, Docker's config.json)",
  ),
  "plain-http": toggle("speak HTTP without TLS"),
  "tls-verify": { ...toggle("check certificates (default: true)"), initial: true },
  "cert-dir": fileName("DIR", "certificates for the registry, in the place of certs.d"),
  retries: { ...count("N", "how often to try again what may pass (default: 5)"), initial: 5 },
  timeout: {
    ...count(
      "SECONDS",
      "how long nothing, or next to nothing, may come or be taken before a connection counts as lost (default: 60)",
    ),
    initial: 60,
  },
} as const;

/** @throws {UsageError} */
export async function toArchiveLimits(options: OptionValues<typeof archiveLimitOptions>): Promise<ArchiveLimits> {
  const { parseMemory } = await import("../image/bundle/options.ts");
  const { DEFAULT_LIMITS } = await import("../image/layer/limits.ts");
  const { "max-bytes": bytes, "max-ratio": ratio } = options;
  if (ratio !== undefined && !/^[1-9]\d{0,14}$/.test(ratio))
    throw new UsageError(`--max-ratio ${JSON.stringify(ratio)}: a number above 0 is expected`);
  return {
    bytes: bytes === undefined ? DEFAULT_LIMITS.bytes : asUsage(() => parseMemory("--max-bytes", bytes)),
    ratio: ratio === undefined ? DEFAULT_LIMITS.ratio : Number(ratio),
  };
}

/** @throws {UsageError} */
export async function toPlatform(text: string | undefined): Promise<{ platform?: Platform }> {
  if (text === undefined) return {};
  const { parsePlatform } = await import("../image/store/platform.ts");
  return { platform: asUsage(() => parsePlatform(text)) };
}

/** Opens the store that is named, or the user's. */
export async function openNamedStore({ store }: OptionValues<typeof storeOptions>): Promise<Store> {
  const { defaultStore, openStore } = await import("../image/store/store.ts");
  return openStore(store ?? defaultStore());
}

/** Shows progress while something is done; `json`: to a program. */
export async function withReporter<T>(isQuiet: boolean | "json", act: (reporter: Reporter) => Promise<T>): Promise<T> {
  const { reporterFor } = await import("../image/progress/reporter.ts");
  const reporter =
    isQuiet === "json"
      ? new (await import("../image/progress/json-reporter.ts")).JsonReporter()
      : await reporterFor(isQuiet);
  try {
    return await act(reporter);
  } finally {
    reporter.end();
  }
}

/** The options of an operation that speaks to a registry. @throws {UsageError} */
export function toRegistryOptions(options: OptionValues<typeof registryOptions>): RegistryOptions {
  const { creds, authfile, retries, timeout } = options;
  const certDir = options["cert-dir"];
  return {
    plainHttp: options["plain-http"],
    tlsVerify: options["tls-verify"],
    patience: { retries, pause: 500, stall: timeout * 1000 },
    ...(certDir === undefined ? {} : { certDir }),
    ...(authfile === undefined ? {} : { authFile: authfile }),
    ...(creds === undefined ? {} : { credentials: parseCredentials(creds) }),
  };
}

function parseCredentials(text: string): NonNullable<RegistryOptions["credentials"]> {
  const colon = text.indexOf(":");
  if (colon < 1) throw new UsageError("--creds: USER:PASSWORD is expected");
  return { kind: "password", user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Everything on stdin, as text. */
export async function readStdin(): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString("utf8");
}
