/** What containers and volumes are called. Pure, but for the chance in a new name. */
import { randomHex } from "../../sys/random.ts";

/** What the runtime takes as a container's id, too: a name is that. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const ID = /^[0-9a-f]{64}$/;

/** How many digits of an id a listing shows. */
export const SHORT_ID = 12;

/** @throws {Error} for what is no name */
export function checkName(kind: "container" | "volume", name: string): string {
  if (NAME.test(name)) return name;
  throw new Error(
    `${JSON.stringify(name)} is no name for a ${kind}: up to 128 letters, digits, "_", "." and "-" are, the first a letter or digit`,
  );
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

export function newId(): string {
  return randomHex(32);
}

export function isId(text: string): boolean {
  return ID.test(text);
}

/** For a container that nobody named: what it is made of, and chance. @example `newName("docker.io/library/alpine:3.20")` may be `"alpine-1f0c9a"` */
export function newName(reference: string): string {
  const last = (reference.split("@")[0] as string).split("/").at(-1) ?? "";
  const base = (last.split(":")[0] as string).replace(/[^a-zA-Z0-9]+/g, "-").replace(/^-+|-+$/g, "");
  return `${base.slice(0, 40) || "container"}-${randomHex(3)}`;
}

/** What has an id and a name. */
export interface Named {
  id: string;
  name: string;
}

/**
 * The one that is meant: by its name, its id, or the beginning of its id.
 * @throws {Error} when none is meant, or several are
 */
export function findNamed<T extends Named>(all: readonly T[], text: string): T {
  const exact = all.find(({ name }) => name === text) ?? all.find(({ id }) => id === text);
  if (exact !== undefined) return exact;
  const found = /^[0-9a-f]+$/.test(text) ? all.filter(({ id }) => id.startsWith(text)) : [];
  if (found.length > 1) {
    const names = found.map(({ name }) => name).join(", ");
    throw new Error(`${text} is the beginning of the ids of ${found.length} containers (${names}): write more of it`);
  }
  if (found[0] !== undefined) return found[0];
  throw new NoSuchContainerError(`no such container: ${text} ("tsrunc container list" shows those there are)`);
}

export class NoSuchContainerError extends Error {
  override readonly name = "NoSuchContainerError";
}
