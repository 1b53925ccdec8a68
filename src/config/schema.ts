/** Applies the validators that `schema/compile.ts` makes, and puts what they find in words. */
import { ConfigError } from "./error.ts";

/** A quick compiled validator: says whether a document is of its type, and not why. */
export type Check<T> = (document: unknown) => document is T;

/** A compiled validator that leaves behind what was wrong. */
export interface Validator<T> extends Check<T> {
  errors?: SchemaError[] | null;
}

/** What a validator leaves behind. */
interface SchemaError {
  instancePath: string;
  keyword: string;
  params: Record<string, unknown>;
}

/**
 * Checks a document against its schema. Members that have a default in the schema get it where they are missing. One that
 * must be there may be written in other case (`pagesize`): Go does not tell them apart, so what is tested with runc has them.
 * @param quick says whether there is anything to find
 * @param load  loads the validator that finds it: hardly ever, and it is large
 * @throws {ConfigError} for the first thing that is wrong
 */
export function check<T>(
  quick: Check<T>,
  load: () => Validator<T>,
  document: unknown,
  file: string,
): asserts document is T {
  if (quick(document)) return;
  const validator = load();
  // Each renaming leaves one member less to be missing.
  while (!validator(document)) {
    const error = validator.errors?.[0];
    if (error?.keyword !== "required" || !renameMember(document, error)) throw failure(error, document, file);
  }
}

function renameMember(document: unknown, { instancePath, params }: SchemaError): boolean {
  const object = valueAt(document, instancePath) as Record<string, unknown>;
  const name = String(params.missingProperty);
  const written = Object.keys(object).find((member) => member.toLowerCase() === name.toLowerCase());
  if (written === undefined) return false;
  object[name] = object[written];
  delete object[written];
  return true;
}

function failure(error: SchemaError | undefined, document: unknown, file: string): ConfigError {
  if (error === undefined) return new ConfigError("", undefined, "is not valid", file);
  const value = valueAt(document, error.instancePath);
  return new ConfigError(error.instancePath, isScalar(value) ? value : undefined, rule(error), file);
}

function rule(error: SchemaError): string {
  const policy = /^\/linux\/memoryPolicy(\/mode|\/flags)?/.exec(error.instancePath);
  if (policy === null) return describe(error);
  // The words that runc uses, and that its tests look for.
  const part = error.keyword === "required" ? "mode" : { "/mode": "mode", "/flags": "flag" }[policy[1] ?? ""];
  return `invalid memory policy${part === undefined ? "" : ` ${part}`}: ${describe(error)}`;
}

function describe({ keyword, params }: SchemaError): string {
  switch (keyword) {
    case "type":
      return `must be ${article(String(params.type))}`;
    case "required":
      return `${JSON.stringify(params.missingProperty)} is missing`;
    case "enum":
      return `must be one of ${(params.allowedValues as string[]).filter((value) => value !== "").join(", ")}`;
    case "minimum":
    case "maximum":
      return `must be ${params.comparison} ${params.limit}`;
    case "pattern":
      return `must match ${params.pattern}`;
    case "minItems":
      return `must have at least ${params.limit} item${params.limit === 1 ? "" : "s"}`;
    default:
      return `breaks the schema's ${keyword}`;
  }
}

function article(type: string): string {
  return `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}

/** The value that a JSON pointer leads to. */
function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value !== "object";
}
