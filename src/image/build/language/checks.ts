/**
 * The directive `check`: which warnings are not given, and whether one is an error. @see Dockerfile reference, "check"
 */
import type { Warning } from "./instructions.ts";
import type { Directive } from "./lines.ts";
import { DockerfileError } from "./position.ts";

interface Checks {
  skipped: ReadonlySet<string>;
  /** Whether a warning ends the build. */
  isError: boolean;
}

/** @throws {DockerfileError} for what is no option, and where a warning is an error */
export function checked(warnings: readonly Warning[], directive: Directive | undefined): Warning[] {
  if (directive === undefined) return [...warnings];
  const { skipped, isError } = readChecks(directive);
  const isSkipped = ({ rule }: Warning) => rule !== null && (skipped.has("all") || skipped.has(rule.toLowerCase()));
  const left = warnings.filter((warning) => !isSkipped(warning));
  const first = left.find(({ rule }) => rule !== null);
  if (isError && first !== undefined)
    throw new DockerfileError(first.at, `${first.text} (${first.rule}, which is an error here by "check=error=true")`);
  return left;
}

function readChecks({ value, at }: Directive): Checks {
  let skipped: string[] = [];
  let isError = false;
  for (const option of value.split(";").map((one) => one.trim())) {
    const [name = "", given = ""] = [option.split("=", 1)[0], option.slice(option.indexOf("=") + 1)].map((one) =>
      one?.trim(),
    );
    if (name === "skip") skipped = given.split(",").map((one) => one.trim().toLowerCase());
    else if (name === "error" && /^(true|false)$/i.test(given)) isError = given.toLowerCase() === "true";
    else if (name !== "experimental" || !option.includes("=")) {
      throw new DockerfileError(
        at,
        `check=${value}: ${JSON.stringify(option)} is not known: skip=RULE,…, skip=all and error=true are right, separated by ";"`,
      );
    }
  }
  return { skipped: new Set(skipped), isError };
}
