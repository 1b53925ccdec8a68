/** What callers without types may give in the place of what is expected: said at once, before it becomes an argument `undefined`. */

type Kind = readonly [expected: string, fits: (given: unknown) => boolean];

const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === "object" && given !== null && !Array.isArray(given);
const TEXT: Kind = ["a string", (given) => typeof given === "string"];
const TEXTS: Kind = ["an array of strings", (given) => Array.isArray(given) && given.every(TEXT[1])];
const TEXTS_BY_NAME: Kind = ["an object of strings", (given) => isObject(given) && Object.values(given).every(TEXT[1])];
const OBJECT: Kind = ["an object", isObject];
const OBJECTS: Kind = ["an array of objects", (given) => Array.isArray(given) && given.every(isObject)];

const RUN: Readonly<Record<string, Kind>> = {
  ...{ image: TEXT, bundle: TEXT, name: TEXT, cwd: TEXT, hostname: TEXT, network: TEXT },
  ...{ args: TEXTS, publish: TEXTS, env: TEXTS_BY_NAME, annotations: TEXTS_BY_NAME },
  ...{ limits: OBJECT, volumes: OBJECTS, mounts: OBJECTS },
};

/** @throws {TypeError} where the options are none, or one of them is of another type, or there is not one of `image` and `bundle` */
export function checkRunOptions(options: unknown): void {
  expectKind("run", "options", OBJECT, options);
  const given = options as Readonly<Record<string, unknown>>;
  for (const [name, kind] of Object.entries(RUN)) {
    if (given[name] !== undefined) expectKind("run", name, kind, given[name]);
  }
  const both = [given["image"], given["bundle"]].filter((one) => one !== undefined && one !== "");
  if (both.length !== 1) throw new TypeError("run: one of `image` and `bundle` is expected");
}

/** @throws {TypeError} where it is no string, or an empty one */
export function checkText(command: string, name: string, given: unknown): void {
  expectKind(command, name, ["a string that is not empty", (text) => typeof text === "string" && text !== ""], given);
}

/** @throws {TypeError} where it is none */
export function checkObject(command: string, name: string, given: unknown): void {
  expectKind(command, name, OBJECT, given);
}

function expectKind(command: string, name: string, [expected, fits]: Kind, given: unknown): void {
  if (fits(given)) return;
  const shown = given === undefined ? "undefined" : JSON.stringify(given).slice(0, 60);
  throw new TypeError(`${command}: ${name}: ${expected} is expected, not ${shown}`);
}
