/** `--label`. */
import { UsageError } from "./usage-error.ts";

/** `NAME=VALUE`; of `NAME` alone the value is empty, as in Docker and buildah. @throws {UsageError} */
export function toLabels(given: readonly string[]): Map<string, string> {
  return new Map(
    given.map((text): [string, string] => {
      const equals = text.indexOf("=");
      const name = equals === -1 ? text : text.slice(0, equals);
      if (name === "") throw new UsageError(`--label ${JSON.stringify(text)}: NAME=VALUE is right`);
      return [name, equals === -1 ? "" : text.slice(equals + 1)];
    }),
  );
}
