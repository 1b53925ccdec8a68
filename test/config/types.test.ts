/** The schemas and `src/config/types.ts` say the same: what passes a validator is of its type, and has no members besides. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readType, type Shape } from "./support/types-reader.ts";

const root = join(import.meta.dirname, "../..");
const source = readFileSync(join(root, "src/config/types.ts"), "utf8");

// biome-ignore lint/suspicious/noExplicitAny: a JSON Schema is whatever it is.
type Schema = any;

function readSchema(file: string): Schema {
  return JSON.parse(readFileSync(join(root, "schema", file), "utf8"));
}

/** What a schema lets through, in the terms of the types. */
function shapeOf(schema: Schema, file: string): Shape {
  if (schema.$ref !== undefined) {
    const [name, pointer] = schema.$ref.split("#/$defs/");
    const target = name === "" ? file : name;
    return shapeOf(readSchema(target).$defs[pointer], target);
  }
  if (schema.enum !== undefined) return { kind: "literals", values: schema.enum };
  switch (schema.type) {
    case "array":
      return { kind: "array", of: shapeOf(schema.items, file) };
    case "object":
      if (schema.additionalProperties) return { kind: "map", of: shapeOf(schema.additionalProperties, file) };
      return { kind: "object", members: membersOf(schema, file) };
    case "integer":
      return { kind: schema.maximum > Number.MAX_SAFE_INTEGER ? "integer64" : "number" };
    default:
      return { kind: schema.type };
  }
}

function membersOf(schema: Schema, file: string) {
  const members: Record<string, { optional: boolean; shape: Shape }> = {};
  for (const [name, property] of Object.entries<Schema>(schema.properties)) {
    const always = schema.required?.includes(name) || property.default !== undefined;
    members[name] = { optional: !always, shape: shapeOf(property, file) };
  }
  return members;
}

/** Where the two differ. A type may say `string` where the schema has a list of strings. */
function differences(type: Shape, schema: Shape, at: string): string[] {
  if (type.kind === "string" && schema.kind === "literals") return [];
  if (type.kind !== schema.kind) return [`${at}: ${type.kind} in the types, ${schema.kind} in the schema`];
  if (type.kind === "literals" && schema.kind === "literals") {
    const same = [...type.values].sort().join() === [...schema.values].sort().join();
    return same ? [] : [`${at}: ${type.values} in the types, ${schema.values} in the schema`];
  }
  if ("of" in type && "of" in schema) return differences(type.of, schema.of, `${at}/*`);
  if (type.kind !== "object" || schema.kind !== "object") return [];
  const names = new Set([...Object.keys(type.members), ...Object.keys(schema.members)]);
  return [...names].flatMap((name) => {
    const ours = type.members[name];
    const theirs = schema.members[name];
    if (ours === undefined) return [`${at}/${name}: missing in the types`];
    if (theirs === undefined) return [`${at}/${name}: missing in the schema`];
    const optional = ours.optional === theirs.optional ? [] : [`${at}/${name}: optional in one of the two only`];
    return [...optional, ...differences(ours.shape, theirs.shape, `${at}/${name}`)];
  });
}

test.each([
  ["config.json", "Spec"],
  ["state.json", "State"],
  ["features.json", "Features"],
])("schema/%s describes the type %s", (file, name) => {
  expect(differences(readType(source, name), shapeOf(readSchema(file), file), "")).toEqual([]);
});

test("a difference between type and schema is found", () => {
  const edited = source.replace("cwd: string;", "cwd?: string;").replace("hostname?: string;", "hostName?: number;");
  expect(differences(readType(edited, "Spec"), shapeOf(readSchema("config.json"), "config.json"), "")).toEqual([
    "/process/cwd: optional in one of the two only",
    "/hostName: missing in the schema",
    "/hostname: missing in the types",
  ]);
});
