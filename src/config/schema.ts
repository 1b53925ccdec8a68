/** Applies the validators that `schema/compile.ts` makes, and puts what they find in words. */
import { ConfigError } from "./error.ts";
import { LAST_ID } from "./validate/id-mappings.ts";

/** A compiled validator: says whether a document is of its type, and leaves behind what was wrong. */
export interface Validator<T> {
  (document: unknown): document is T;
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
 * @throws {ConfigError} for the first thing that is wrong
 */
export function check<T>(validator: Validator<T>, document: unknown, file: string): asserts document is T {
  // Each renaming leaves one member less to be missing.
  while (!validator(document)) {
    const error = validator.errors?.[0];
    if (error?.keyword === "required" && renameMember(document, error)) continue;
    throw failure(error && explained(error, validator, document), document, file);
  }
}

/** The error itself; where a large integer stands in a small field, that of its range, which it would have as a number. */
function explained<T>(error: SchemaError, validator: Validator<T>, document: unknown): SchemaError {
  const { instancePath } = error;
  const value = valueAt(document, instancePath);
  if (typeof value !== "bigint") return error;
  const cut = instancePath.lastIndexOf("/");
  const holder = valueAt(document, instancePath.slice(0, cut)) as Record<string, unknown>;
  const name = nameOf(instancePath.slice(cut + 1));
  holder[name] = Number(value);
  validator(document);
  holder[name] = value;
  return validator.errors?.[0] ?? error;
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

/** What a validator has found wrong with a document, in words. @param error the first of the validator's `errors` */
export function failure(error: SchemaError | undefined, document: unknown, file: string): ConfigError {
  if (error === undefined) return new ConfigError("", undefined, "is not valid", file);
  const value = valueAt(document, error.instancePath);
  return new ConfigError(error.instancePath, isScalar(value) ? value : undefined, rule(error, value), file);
}

function rule(error: SchemaError, value: unknown): string {
  const policy = /^\/linux\/memoryPolicy(\/mode|\/flags)?/.exec(error.instancePath);
  if (policy === null) return describe(error, value);
  // The words that runc uses, and that its tests look for.
  const part = error.keyword === "required" ? "mode" : { "/mode": "mode", "/flags": "flag" }[policy[1] ?? ""];
  return `invalid memory policy${part === undefined ? "" : ` ${part}`}: ${describe(error, value)}`;
}

/** The integers of 64 bits, of which no JavaScript number has the ends. */
const RANGES: Readonly<Record<string, string>> = {
  int64: "-9223372036854775808 to 9223372036854775807",
  uint64: "0 to 18446744073709551615",
};

function describeInteger(type: string, value: unknown): string {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return "must be written in digits alone, without a point or an exponent";
  }
  if (typeof value !== "bigint" && !Number.isInteger(value)) return "must be an integer";
  return `must be from ${RANGES[type]}`;
}

function describe({ keyword, params }: SchemaError, value: unknown): string {
  switch (keyword) {
    case "type":
      // A list where null will do as well, which is the same as nothing.
      return `must be ${article(String([params.type].flat()[0]))}`;
    case "required":
      return `${JSON.stringify(params.missingProperty)} is missing`;
    case "enum":
      return `must be one of ${(params.allowedValues as string[]).filter((value) => value !== "").join(", ")}`;
    case "integer64":
      return describeInteger(String(params.type), value);
    case "maximum":
      if (params.limit === LAST_ID) return `must be an id, <= ${LAST_ID}`;
      return `must be ${params.comparison} ${params.limit}`;
    case "minimum":
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
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<string, unknown>)[nameOf(part)];
  }
  return value;
}

/** The name that a segment of a JSON pointer means. @see RFC 6901, section 4 */
function nameOf(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}

function isScalar(value: unknown): boolean {
  return value === null || typeof value !== "object";
}
