/** What `--secret` gives. */
import { readFileSync } from "node:fs";
import type { SecretSource } from "../options.ts";

/** @returns `null` for a variable that is not set */
export function readSecret(source: SecretSource): Buffer | null {
  if (source.kind === "file") return readFileSync(source.path);
  const value = process.env[source.name];
  return value === undefined ? null : Buffer.from(value);
}
