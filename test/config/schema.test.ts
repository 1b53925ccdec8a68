/** The schemas themselves. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";

const directory = join(import.meta.dirname, "../../schema");
const files = readdirSync(directory).filter((file) => file.endsWith(".json"));

test.each(files)("schema/%s is a JSON Schema of 2020-12", (file) => {
  const schema = JSON.parse(readFileSync(join(directory, file), "utf8"));
  const ajv = new Ajv2020();
  expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
  expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
});

test.each(files)("schema/%s forbids no unknown property", (file) => {
  const text = readFileSync(join(directory, file), "utf8");
  expect(text).not.toMatch(/"additionalProperties":\s*false|"unevaluatedProperties"/);
});
