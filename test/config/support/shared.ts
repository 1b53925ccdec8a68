/** The documents of the Open Container Initiative, and the engines' bundles, that lie beside the repository. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";

const SHARED = join(import.meta.dirname, "../../../../shared");

/** Why tests that need them are skipped, or `null`. */
export const missing = existsSync(join(SHARED, "oci/runtime-spec/schema")) ? null : "../shared is not there";

/** The path of something below `../shared`. */
export function shared(path: string): string {
  return join(SHARED, path);
}

/** The official validator of a document: `officialSchema("config-schema.json")`. */
export function officialSchema(name: string): ValidateFunction {
  const ajv = new Ajv({ strict: false });
  const directory = shared("oci/runtime-spec/schema");
  for (const file of readdirSync(directory)) {
    const { $schema: _, ...schema } = JSON.parse(readFileSync(join(directory, file), "utf8"));
    ajv.addSchema(schema, file);
  }
  return ajv.getSchema(name) as ValidateFunction;
}
