/** Random changes to documents and texts, the same for the same seed. */

/** Numbers below 2³², by xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
}

/** Values that are at the edge of something. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, "", " ", [], {}, [[]], [null], { "": null }, 0, -1, 1, 0.5, 1e300, -0],
  ...[2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 63)],
  ...[
    "..",
    "a/../..",
    "../../../x",
    "a\0b",
    "\n",
    "\u{1f4a9}",
    "\ud800",
    "%s%n",
    "-1",
    "0x10",
    "NaN",
    "x".repeat(5000),
  ],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "rbind", "bind", "remount", "ro", "shared", "tmpfs"],
  ...[
    "SCMP_ACT_ERRNO",
    "CAP_SYS_ADMIN",
    "RLIMIT_NOFILE",
    "user",
    "mount",
    "0-3",
    "3-0",
    "0-4294967295",
    "idmap=uids=0-1-2",
  ],
];

/** A copy of a JSON document in which some places are changed. */
export function mutateDocument(random: Random, document: unknown): unknown {
  const copy = structuredClone(document) as object;
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(random, copy);
  return copy;
}

/** Half of the changes are to any place, as many to one that is reached from the top: the deep places are many, the high ones matter more. */
function change(random: Random, document: object): void {
  const all = random.below(2) === 0 ? [...places(document)] : [];
  if (all.length > 0) {
    const { at, key } = random.pick(all);
    changeEntry(random, at, key);
    return;
  }
  let at = document as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(at);
    const key = keys.length === 0 ? "x" : random.pick(keys);
    const inner = at[key];
    if (typeof inner === "object" && inner !== null && random.below(4) > 0) {
      at = inner as Record<string, unknown>;
      continue;
    }
    changeEntry(random, at, key);
    return;
  }
}

interface Place {
  at: Record<string, unknown>;
  key: string;
}

/** Every place of a document; of a long list the first few. */
function* places(document: object): Generator<Place> {
  const MOST = 4;
  const keys = Object.keys(document);
  for (const key of Array.isArray(document) ? keys.slice(0, MOST) : keys) {
    const at = document as Record<string, unknown>;
    yield { at, key };
    if (typeof at[key] === "object" && at[key] !== null) yield* places(at[key]);
  }
}

/** Every copy of a document in which one place is missing, wrapped, or has a value at the edge of something. */
export function* everyChange(document: object): Generator<object> {
  const count = [...places(document)].length;
  const changes = [
    ...VALUES.map(
      (value) =>
        ({ at, key }: Place) =>
          put(at, key, structuredClone(value)),
    ),
    remove,
    repeat,
  ];
  for (let index = 0; index < count; index++) {
    for (const change of changes) {
      const copy = structuredClone(document);
      change([...places(copy)][index] as Place);
      yield copy;
    }
  }
}

function put(at: Place["at"], key: string, value: unknown): void {
  at[key] = value;
}

function remove({ at, key }: Place): void {
  if (Array.isArray(at)) at.splice(Number(key), 1);
  else delete at[key];
}

/** Once more in its list; in an object, in a list of its own. */
function repeat({ at, key }: Place): void {
  if (Array.isArray(at)) at.push(structuredClone(at[Number(key)]));
  else at[key] = [at[key]];
}

/** What stands between the words of a text. */
const BORDER = /([\s,:;=/@#|.()[\]{}"'<>-]+)/;

/** Words at the edge of something. */
const WORDS = [
  ...[
    "",
    "0",
    "-1",
    "1",
    "00",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "1e9",
    "0x1f",
    "NaN",
  ],
  ...[
    "x".repeat(300),
    "..",
    "*",
    "~",
    "\0",
    "\x7f",
    "\xff",
    "é",
    "\u{1f4a9}",
    "\ud800",
    "%s",
    "$X",
    "$" + "{X",
    "\\",
    "\\\n",
    "__proto__",
    "true",
  ],
];

/** Every copy of a text in which one word, or what stands between two, is missing, doubled, or another. */
export function* everyWord(text: string): Generator<string> {
  const pieces = text.split(BORDER);
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index] as string;
    for (const word of [...WORDS, piece + piece]) yield pieces.with(index, word).join("");
  }
}

function changeEntry(random: Random, at: Record<string, unknown>, key: string): void {
  // A copy: it may be changed in its turn.
  const value = structuredClone(random.pick(VALUES));
  switch (random.below(6)) {
    case 0:
      return remove({ at, key });
    case 1: {
      const name = random.pick(VALUES.filter((one) => typeof one === "string"));
      if (Array.isArray(at)) at.push(value);
      else Object.defineProperty(at, name, { value, enumerable: true, configurable: true, writable: true });
      return;
    }
    case 2:
      if (Array.isArray(at)) at.push(structuredClone(at[0]));
      else at[key] = [at[key]];
      return;
    case 3:
      at[key] = typeof at[key] === "string" ? mutateText(random, at[key]) : value;
      return;
    default:
      at[key] = value;
  }
}

const PIECES = [
  ",",
  ":",
  "=",
  "/",
  "..",
  "@",
  "-",
  "\0",
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  "\n",
  "\xff",
  "é",
  "0",
  "9999999999",
  " ",
];

/** A copy of a text in which some pieces are cut out, doubled or put in, or some words are others. */
export function mutateText(random: Random, text: string): string {
  let result = text;
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    if (random.below(2) === 0) {
      const pieces = result.split(BORDER);
      result = pieces.with(random.below(pieces.length), random.pick([...WORDS, random.pick(pieces)])).join("");
      continue;
    }
    const at = random.below(result.length + 1);
    const to = at + random.below(1 + Math.min(20, result.length - at));
    const middle = [random.pick(PIECES), "", result.slice(at, to).repeat(2)][random.below(3)];
    result = result.slice(0, at) + middle + result.slice(to);
  }
  return result;
}
