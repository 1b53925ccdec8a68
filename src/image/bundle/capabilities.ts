/** Which capabilities a container of an image has: Docker's, and what its user adds and takes. */
import { capabilityNames, capabilityNumber, isInBoundingSet } from "../../sys/capability.ts";

/** Of who says nothing: Docker's. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

const ALL = "ALL";

/**
 * The capabilities of `--cap-add` and `--cap-drop`: names in either case, with `CAP_` or without. ALL, which stands for those that the caller may
 * have itself, counts before single names.
 * @throws {Error} for a name that is none, and for one that is both added and dropped
 */
export function chooseCapabilities(add: readonly string[], drop: readonly string[]): string[] {
  const added = readAll("--cap-add", add);
  const dropped = readAll("--cap-drop", drop);
  const both = added.find((name) => dropped.includes(name));
  if (both !== undefined) throw new Error(`${both} is both added and dropped: --cap-add or --cap-drop is right`);
  const base = added.includes(ALL) ? available() : dropped.includes(ALL) ? [] : DEFAULT_CAPABILITIES;
  const chosen = new Set([...base, ...added].filter((name) => name !== ALL && !dropped.includes(name)));
  return [...chosen].sort();
}

/** One may hold several, with commas between them: as Podman has it. */
function readAll(option: string, given: readonly string[]): string[] {
  return given.flatMap((names) => names.split(",")).map((name) => read(option, name));
}

function read(option: string, given: string): string {
  const name = given.toUpperCase();
  if (name === ALL) return name;
  const full = name.startsWith("CAP_") ? name : `CAP_${name}`;
  if (capabilityNumber(full) === null)
    throw new Error(
      `${option} ${JSON.stringify(given)}: no capability has this name: such as NET_ADMIN, or ALL, is right`,
    );
  return full;
}

function available(): string[] {
  return capabilityNames().filter((_, number) => isInBoundingSet(number));
}
