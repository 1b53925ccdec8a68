/** `--label`. */
import { UsageError } from "./usage-error.ts";

/** `NAME=VALUE`; of `NAME` alone the value is empty, as in Docker and buildah. @throws {UsageError} */
export function toLabels(given: readonly string[]): Map<string, string> {
  return new Map(
    given.map((text): [string, string] => {
      const [name, value] = text.includes("=") ? splitAt(text, text.indexOf("=")) : [text, ""];
      if (name === "") throw new UsageError(`--label ${JSON.stringify(text)}: NAME=VALUE is right`);
      return [name, value];
    }),
  );
}

function splitAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}
