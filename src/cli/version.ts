/** What `--version` says. */
import { version } from "../../package.json";
import { OCI_VERSION } from "../config/default.ts";

declare const TSRUNC_COMMIT: string | undefined;

export { version };

/**
 * The version, in the lines that engines look for: Docker takes the text around the last word "version" and the line
 * "commit:", so no other line may have that word.
 */
export function versionText(): string {
  const commit = typeof TSRUNC_COMMIT === "string" && TSRUNC_COMMIT !== "" ? TSRUNC_COMMIT : "unknown";
  const engine = process.versions["bun"] ?? process.versions.node;
  return `tsrunc version ${version}\ncommit: ${commit}\nspec: ${OCI_VERSION}\nengine: bun ${engine}\n`;
}
