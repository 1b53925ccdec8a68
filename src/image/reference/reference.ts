/**
 * References: `[registry/]repository[:tag][@digest]`, as Docker reads them.
 *
 * The grammar is that of the distribution project's `reference` package, the defaults are Docker Hub's. (The packages for it on npm take
 * what Docker refuses, and have not been looked after for years.)
 */
import { type Digest, parseDigest } from "../store/digest.ts";

/** The registry of names without one. */
export const HUB = "docker.io";

/** A reference, complete: what it left out is filled in. */
export interface Reference {
  /** Host, and port where one is named: `docker.io`, `localhost:5000`, `[::1]:5000`. In the caller's own case. */
  registry: string;
  /** Path below the registry: `library/alpine`. */
  repository: string;
  /** `null` where only a digest is named. */
  tag: string | null;
  digest: Digest | null;
}

const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const DOMAIN_COMPONENT = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = new RegExp(`^(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`);
const PATH = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Of registry and repository together. */
const LONGEST_NAME = 255;

/**
 * Reads a reference. `alpine` is `docker.io/library/alpine:latest`.
 * @throws {Error} one line: what is wrong, and what would be right
 */
export function parseReference(text: string): Reference {
  const refuse = (why: string): never => {
    throw new Error(`invalid reference ${JSON.stringify(text)}: ${why}`);
  };
  if (text === "") refuse("[registry/]repository[:tag][@digest] is expected");
  if (/^[a-z]+:\/\//i.test(text)) refuse("a reference has no scheme: leave out what is before the host");
  if (/^[0-9a-f]{64}$/.test(text)) refuse("64 hexadecimal digits are an image's id, and no repository's name");
  const at = text.indexOf("@");
  const digest = at === -1 ? null : readDigest(text.slice(at + 1), refuse);
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const name = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : null;
  if (tag !== null && !TAG.test(tag))
    refuse(`the tag ${JSON.stringify(tag)} must be 1 to 128 letters, digits, "_", "." and "-"`);
  const { registry, repository } = splitName(name);
  const wrong = whyNoRegistry(registry);
  if (wrong !== null) refuse(wrong);
  if (!PATH.test(repository)) refuse(whyNoRepository(repository));
  if (registry.length + 1 + repository.length > LONGEST_NAME)
    refuse(`the name has more than ${LONGEST_NAME} characters`);
  return { registry, repository, tag: tag ?? (digest === null ? "latest" : null), digest };
}

/**
 * Reads a name that an image is to get.
 * @returns it in full
 * @throws {Error} also for one with a digest: that is the image's own, and nothing that could be given
 */
export function parseName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== null) throw new Error(`${text}: a name to give has no digest`);
  return formatReference(reference);
}

/**
 * What is wrong with `host[:port]`; `null`: nothing. A client of HTTP takes port 0 for the port that goes without saying, and would speak to
 * somebody else.
 */
export function whyNoRegistry(host: string): string | null {
  const noHost = `${JSON.stringify(host)} is no host`;
  if (!DOMAIN.test(host)) return noHost;
  const port = Number(/:(\d+)$/.exec(host)?.[1] ?? 443);
  if (port < 1 || port > 65535) return `the port of ${JSON.stringify(host)} must be from 1 to 65535`;
  return URL.canParse(`https://${host}`) ? null : noHost;
}

function readDigest(text: string, refuse: (why: string) => never): Digest {
  try {
    return parseDigest(text);
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** The first part is a host when it has a dot, a colon or a capital, or is `localhost`. */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  const isHost = /[.:]/.test(first) && DOMAIN.test(first);
  if (first !== "localhost" && !isHost && (first === "" || first === first.toLowerCase() || !DOMAIN.test(first))) {
    return { registry: HUB, repository: withLibrary(name) };
  }
  const rest = name.slice(slash + 1);
  if (first === HUB || first === "index.docker.io") return { registry: HUB, repository: withLibrary(rest) };
  return { registry: first, repository: rest };
}

/** The Hub's own images are in a namespace that nobody writes. */
function withLibrary(path: string): string {
  return path.includes("/") ? path : `library/${path}`;
}

function whyNoRepository(repository: string): string {
  if (repository !== repository.toLowerCase())
    return `the repository ${JSON.stringify(repository)} must be in lower case`;
  return `the repository ${JSON.stringify(repository)} must be lower-case letters and digits, with single ".", "_" or "-" between them`;
}

/** The name of a reference without tag and digest: `docker.io/library/alpine`. */
export function repositoryName({ registry, repository }: Pick<Reference, "registry" | "repository">): string {
  return `${registry}/${repository}`;
}

/** A reference in full: `docker.io/library/alpine:latest`. */
export function formatReference(reference: Reference): string {
  const { tag, digest } = reference;
  return `${repositoryName(reference)}${tag === null ? "" : `:${tag}`}${digest === null ? "" : `@${digest}`}`;
}

/** A reference as people write it: `alpine:latest`. */
export function familiarReference(reference: Reference): string {
  const full = formatReference(reference);
  if (reference.registry !== HUB) return full;
  const rest = full.slice(HUB.length + 1);
  return rest.startsWith("library/") && !reference.repository.slice("library/".length).includes("/")
    ? rest.slice("library/".length)
    : rest;
}

/** The name of a repository as people write it: `alpine`. @param name in full, `docker.io/library/alpine` */
export function familiarRepository(name: string): string {
  return familiarReference({ ...parseReference(name), tag: null, digest: null });
}

/** Whether a name of the store is by a digest, and no tag. */
export function isDigestName(name: string | null): boolean {
  return name?.includes("@") ?? false;
}
