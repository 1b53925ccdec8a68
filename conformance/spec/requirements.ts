/**
 * The sentences of the OCI runtime specification 1.3.0 that say MUST or SHOULD of a runtime on Linux.
 *
 * They are quoted, links and emphasis taken out, from https://github.com/opencontainers/runtime-spec (Apache-2.0), so that a failure
 * can show what it is about. An id is the file, the section, and the first telling words.
 */
import bundle from "./bundle.json" with { type: "json" };
import config from "./config.json" with { type: "json" };
import configLinux from "./config-linux.json" with { type: "json" };
import features from "./features.json" with { type: "json" };
import featuresLinux from "./features-linux.json" with { type: "json" };
import runtime from "./runtime.json" with { type: "json" };

export type Level = "MUST" | "SHOULD" | "MAY";

export interface Requirement {
  id: string;
  /** The spec's file and anchor. */
  section: string;
  level: Level;
  sentence: string;
  /** Why no check can test it: it binds authors of configurations, or needs what no machine here has. */
  untestable?: string;
}

/** A plain string to the compiler; an unknown one stops the run at once, see {@link requirement}. */
export type RequirementId = string;

/** All of them, in the order of the spec. */
export const requirements: readonly Requirement[] = [
  ...bundle,
  ...runtime,
  ...config,
  ...configLinux,
  ...features,
  ...featuresLinux,
] as Requirement[];

const byId = new Map(requirements.map((each) => [each.id, each]));

/** @throws {Error} when there is no such requirement: a check that names it would test nothing that anyone asked for */
export function requirement(id: RequirementId): Requirement {
  const found = byId.get(id);
  if (found === undefined) throw new Error(`no requirement is called ${id} (see conformance/spec/)`);
  return found;
}
