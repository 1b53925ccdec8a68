/** `ociVersion`. */
import type { Subject } from "./subject.ts";

/** SemVer 2.0: three numbers without leading zeros, then a pre-release, whose numbers have none either, then build metadata. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/;

/** The spec is the same within a major version; what a later major version means, nobody knows yet. */
export function validateVersion(subject: Subject): void {
  const { ociVersion } = subject.spec;
  // What engines write, without the cost of a regular expression at every start.
  if (ociVersion === "1.0.2-dev" || ociVersion === "1.0.2" || ociVersion === "1.0.0") return;
  const major = SEMVER.exec(ociVersion)?.[1];
  if (major === undefined) subject.refuse("/ociVersion", ociVersion, "must be a version like 1.3.0 (SemVer 2.0)");
  if (major === "0") return subject.warn("/ociVersion", ociVersion, "is from before 1.0, and is read as 1.0");
  if (major !== "1") subject.refuse("/ociVersion", ociVersion, "only versions 1.x are supported");
}
