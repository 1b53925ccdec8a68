/**
 * Compiles the JSON Schemas of this directory into validators: ES modules that need no ajv when they run.
 *
 *     bun schema/compile.ts src/config/generated
 *
 * The validators stop at the first error. They are on the path of every `create`, and the program runs in the
 * interpreter there, so what they do not need is taken out: descriptions, the schemas' own paths, Unicode helpers.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { _, Ajv, type CodeKeywordDefinition, type KeywordCxt, stringify } from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";

/** A module to make: its name, and for each validator the schema that it checks and the type that it proves. */
interface Module {
  name: string;
  /** Where the types are declared, seen from the output; default: `../types.ts`. */
  types?: string;
  validators: { name: string; schema: string; type: string }[];
}

const modules: Module[] = [
  { name: "config", validators: [{ name: "isSpec", schema: "config.json", type: "Spec" }] },
  {
    name: "process",
    validators: [{ name: "isProcess", schema: "config.json#/$defs/process", type: "Process" }],
  },
  {
    name: "container",
    validators: [{ name: "isContainer", schema: "container.json", type: "Container" }],
    types: "../../runtime/store.ts",
  },
  {
    name: "resources",
    validators: [{ name: "isResources", schema: "config.json#/$defs/resources", type: "Resources" }],
  },
  { name: "state", validators: [{ name: "isState", schema: "state.json", type: "State" }] },
  { name: "features", validators: [{ name: "isFeatures", schema: "features.json", type: "Features" }] },
  {
    name: "image",
    types: "../../image/store/documents.ts",
    validators: [
      { name: "isManifest", schema: "image.json#/$defs/manifest", type: "Manifest" },
      { name: "isIndex", schema: "image.json#/$defs/index", type: "Index" },
      { name: "isImageConfig", schema: "image.json#/$defs/config", type: "ImageConfig" },
      { name: "isLayoutFile", schema: "image.json#/$defs/layout", type: "LayoutFile" },
      { name: "isArchiveManifest", schema: "image.json#/$defs/archiveManifest", type: "ArchiveManifest" },
    ],
  },
  {
    name: "named",
    types: "../../image/containers/record.ts",
    validators: [
      { name: "isNamedContainer", schema: "named.json#/$defs/container", type: "Container" },
      { name: "isNamedState", schema: "named.json#/$defs/state", type: "KeptState" },
    ],
  },
  {
    name: "volume",
    types: "../../image/volumes/volume.ts",
    validators: [{ name: "isNamedVolume", schema: "named.json#/$defs/volume", type: "Volume" }],
  },
];

const annotations = new Set(["$schema", "title", "description"]);

/** A regular expression made at its first use: hardly a configuration needs one. */
const lazyRegExp = Object.assign((source: string, flags: string) => new RegExp(source, flags), {
  // What stands in the generated modules for it.
  code: `((source, flags) => {
    let made;
    return { test: (text) => (made ??= new RegExp(source, flags)).test(text) };
  })`,
});

/** What a number of JSON is when it has 64 bits: a `bigint` where a JavaScript number would round it (`src/config/exact-json.ts`). */
const integer64: CodeKeywordDefinition & { keyword: string } = {
  keyword: "integer64",
  code(context: KeywordCxt) {
    const { data, schema } = context;
    context.fail(
      schema === "int64"
        ? _`typeof ${data} == "number" ? !Number.isSafeInteger(${data}) : typeof ${data} != "bigint" || ${data} < -9223372036854775808n || ${data} > 9223372036854775807n`
        : _`typeof ${data} == "number" ? !Number.isSafeInteger(${data}) || ${data} < 0 : typeof ${data} != "bigint" || ${data} < 0n || ${data} > 18446744073709551615n`,
    );
  },
  // (What it says is put in words by src/config/schema.ts.)
  error: { message: "", params: ({ schema }) => _`{type: ${schema}}` },
};

/**
 * Has an object's members the names of its schema where they are written in another case (`CPU`): Go does not tell them apart, so runc sets
 * limits that are written so, and passing them over would leave a container without.
 */
const anyCase: CodeKeywordDefinition & { keyword: string } = {
  keyword: "anyCase",
  type: "object",
  before: "properties",
  code({ data, gen, parentSchema }: KeywordCxt) {
    const names = Object.keys(parentSchema.properties).map((name) => [name.toLowerCase(), name]);
    const byLowerCase = gen.scopeValue("obj", { ref: names, code: _`new Map(${stringify(names)})` });
    gen.forIn("written", data, (written) => {
      const name = gen.const("name", _`${byLowerCase}.get(${written}.toLowerCase())`);
      gen.if(_`${name} !== undefined && !Object.hasOwn(${data}, ${name})`, () => {
        gen.assign(_`${data}[${name}]`, _`${data}[${written}]`);
        gen.code(_`delete ${data}[${written}]`);
      });
    });
  },
};

const here = dirname(fileURLToPath(import.meta.url));
const output = process.argv[2];
if (output === undefined) throw new Error("usage: compile.ts <output directory>");
mkdirSync(output, { recursive: true });
for (const module of modules) {
  writeFileSync(join(output, `${module.name}.js`), compile(module));
  writeFileSync(join(output, `${module.name}.d.ts`), declare(module));
}

function compile({ validators }: Module): string {
  // The plain Ajv: 2020-12 differs from it in keywords that these schemas do not use, and that cost code everywhere.
  const ajv = new Ajv({
    code: { source: true, esm: true, optimize: 2, regExp: lazyRegExp },
    unicodeRegExp: false,
    useDefaults: true,
    // Put in words by src/config/schema.ts, when there is an error.
    messages: false,
    // "properties" beside a "$ref" to the type, and the like, are how these schemas are written.
    strictTypes: false,
  });
  ajv.addKeyword(integer64);
  ajv.addKeyword(anyCase);
  for (const file of ["config.json", "state.json", "features.json", "image.json", "container.json", "named.json"]) {
    const schema = withoutAnnotations(JSON.parse(readFileSync(join(here, file), "utf8"))) as { $defs?: object };
    // The bounds that stand there are of numbers, which have lost the last digits.
    if (file === "config.json") {
      const { $defs = {} } = schema as { $defs?: Record<string, unknown> };
      Object.assign($defs, { int64: of64("int64"), uint64: of64("uint64"), resources: inAnyCase($defs.resources) });
    }
    ajv.addSchema(schema);
  }
  const names = Object.fromEntries(validators.map(({ name, schema }) => [name, schema]));
  // (standaloneCode is CommonJS: under some loaders its default export is wrapped.)
  const generate = (standaloneCode as unknown as { default?: typeof standaloneCode }).default ?? standaloneCode;
  return generate(ajv, names).replace(/schemaPath:"[^"]*",/g, "");
}

function of64(type: "int64" | "uint64"): object {
  return { [integer64.keyword]: type };
}

/** A schema whose objects' members may be written in any case. */
function inAnyCase(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(inAnyCase);
  if (typeof schema !== "object" || schema === null) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, inAnyCase(value)]));
  const isObject = typeof parts.properties === "object" && parts.type === "object";
  return isObject ? { [anyCase.keyword]: true, ...parts } : parts;
}

function declare({ validators, types: from = "../types.ts" }: Module): string {
  const types = validators.map(({ type }) => type).join(", ");
  const declarations = validators.map(({ name, type }) => `export declare const ${name}: Validator<${type}>;\n`);
  return `import type { ${types} } from "${from}";\nimport type { Validator } from "../schema.ts";\n${declarations.join("")}`;
}

/** A schema without what is there for readers; properties that happen to be called so stay. */
function withoutAnnotations(schema: unknown, names = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => withoutAnnotations(item));
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).filter(([key]) => names || !annotations.has(key));
  const holdsNames = (key: string) => !names && (key === "properties" || key === "$defs");
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutAnnotations(value, holdsNames(key))]));
}
