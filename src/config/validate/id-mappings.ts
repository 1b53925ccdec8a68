/** `linux.uidMappings` and `gidMappings`, and the mappings of mounts. */
import type { IdMapping } from "../types.ts";
import type { Subject } from "./subject.ts";

/** The most ranges that the kernel takes. @see user_namespaces(7), since Linux 4.15 */
const MOST = 340;

/** The last id: the next, -1, means "no change" to the kernel, and "none" in a map. @see setresuid(2), chown(2) */
export const LAST_ID = 0xfffffffe;

export function validateIdMappings(subject: Subject): void {
  const { uidMappings, gidMappings } = subject.linux;
  const mapped = Boolean(uidMappings?.length || gidMappings?.length);
  const user = subject.namespace("user");
  if (user === undefined && mapped) {
    const at = uidMappings?.length ? "/linux/uidMappings" : "/linux/gidMappings";
    subject.refuse(at, undefined, "user namespace mappings specified, but user namespace isn't enabled in the config");
  }
  if (user !== undefined && !user.path) requireMappings(subject, uidMappings, gidMappings);
  if (user?.path && mapped) {
    subject.warn("/linux", undefined, `mappings beside a user namespace to join, ${user.path}, must be those it has`);
  }
  if (uidMappings) validateRanges(subject, "/linux/uidMappings", uidMappings);
  if (gidMappings) validateRanges(subject, "/linux/gidMappings", gidMappings);
}

function requireMappings(subject: Subject, uids: IdMapping[] = [], gids: IdMapping[] = []): void {
  if (uids.length === 0 && gids.length === 0) {
    const rule = "user namespaces enabled, but no namespace path to join nor mappings to apply specified";
    subject.refuse("/linux/uidMappings", undefined, rule);
  }
  for (const [name, mappings] of Object.entries({ uid: uids, gid: gids })) {
    const at = `/linux/${name}Mappings`;
    if (mappings.length === 0) subject.refuse(at, undefined, `user namespaces enabled, but no ${name} mappings found`);
  }
}

/** Checks that the kernel will take the ranges. @param at pointer of the list */
export function validateRanges(subject: Subject, at: string, mappings: readonly IdMapping[]): void {
  if (mappings.length > MOST) subject.refuse(at, undefined, `has ${mappings.length} ranges: the kernel takes ${MOST}`);
  mappings.forEach(({ containerID, hostID, size }, index) => {
    if (size === 0) subject.refuse(`${at}/${index}/size`, size, "must not be 0");
    if (containerID + size - 1 > LAST_ID || hostID + size - 1 > LAST_ID) {
      subject.refuse(`${at}/${index}/size`, size, `leads beyond the last id, ${LAST_ID}`);
    }
    const overlapped = mappings.findIndex(
      (other, before) =>
        before < index &&
        (overlaps(containerID, size, other.containerID, other.size) ||
          overlaps(hostID, size, other.hostID, other.size)),
    );
    if (overlapped >= 0) subject.refuse(`${at}/${index}`, undefined, `overlaps with the range ${at}/${overlapped}`);
  });
}

function overlaps(start: number, size: number, otherStart: number, otherSize: number): boolean {
  return start < otherStart + otherSize && otherStart < start + size;
}

/** The id outside that an id inside stands for, or `null`. */
export function hostId(id: number, mappings: readonly IdMapping[]): number | null {
  const range = mappings.find(({ containerID, size }) => id >= containerID && id < containerID + size);
  return range === undefined ? null : range.hostID + id - range.containerID;
}
