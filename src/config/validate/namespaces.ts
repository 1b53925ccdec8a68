/** `linux.namespaces`, and what depends on one of them alone. */
import { segment } from "../error.ts";
import type { Linux, NamespaceType } from "../types.ts";
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

const CLOCKS = ["monotonic", "boottime"];
const NANOSECONDS = 1_000_000_000;

export function validateNamespaces(subject: Subject): void {
  const seen = new Set<NamespaceType>();
  subject.linux.namespaces?.forEach(({ type, path }, index) => {
    const at = `/linux/namespaces/${index}`;
    if (seen.has(type)) subject.refuse(`${at}/type`, type, "duplicated ns: each type may be there once");
    seen.add(type);
    refuseNul(subject, `${at}/path`, path);
    if (path && !path.startsWith("/")) subject.refuse(`${at}/path`, path, "must be an absolute path");
  });
  const { timeOffsets } = subject.linux;
  if (timeOffsets) validateTimeOffsets(subject, timeOffsets);
  for (const name of ["maskedPaths", "readonlyPaths"] as const) {
    if (subject.linux[name]?.length && !seen.has("mount")) {
      subject.refuse(`/linux/${name}`, undefined, "unable to restrict sys entries without a private MNT namespace");
    }
  }
  if (!seen.has("mount")) refuseMounting(subject);
}

/** What would be done to the host's mounts, and stay there when the container is gone. */
function refuseMounting(subject: Subject): void {
  const { root, mounts = [] } = subject.spec;
  const rule =
    "needs a mount namespace of the container's own (linux.namespaces): without, it would be done to the host";
  if (root?.readonly) subject.refuseToCreate("/root/readonly", true, rule);
  if (mounts.length > 0) subject.refuseToCreate("/mounts/0", mounts[0]?.destination, rule);
}

/** @see time_namespaces(7) */
function validateTimeOffsets(subject: Subject, offsets: Linux["timeOffsets"] & object): void {
  const at = "/linux/timeOffsets";
  const namespace = subject.namespace("time");
  if (namespace === undefined) {
    subject.refuse(at, undefined, "time namespace offsets specified, but time namespace isn't enabled in the config");
  }
  if (namespace.path) {
    subject.refuse(at, undefined, `the clocks of the time namespace to join, ${namespace.path}, cannot be changed`);
  }
  for (const [clock, offset] of Object.entries(offsets)) {
    if (!CLOCKS.includes(clock)) {
      subject.refuse(`${at}/${segment(clock)}`, undefined, `is no clock of a time namespace: ${CLOCKS.join(", ")} are`);
    }
    if ((offset.nanosecs ?? 0) >= NANOSECONDS) {
      subject.refuse(`${at}/${clock}/nanosecs`, offset.nanosecs, "must be less than 1000000000: a second");
    }
  }
}
