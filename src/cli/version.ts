/** What `--version` says. */
import { version } from "../../package.json";

declare const TSRUNC_COMMIT: string | undefined;

/** The version of runtime-spec that is implemented. */
const SPEC_VERSION = "1.3.0";

/**
 * The version, in the lines that engines look for: Docker takes the text around the last word "version" and the line
 * "commit:", so no other line may have that word.
 */
export function versionText(): string {
  const commit = typeof TSRUNC_COMMIT === "string" && TSRUNC_COMMIT !== "" ? TSRUNC_COMMIT : "unknown";
  const engine = process.versions["bun"] ?? process.versions.node;
  return `tsrunc version ${version}\ncommit: ${commit}\nspec: ${SPEC_VERSION}\nengine: bun ${engine}\n`;
}
