/** The variables of a stage: ENV and ARG in the order of the file, so that the later of two of a name counts. */
import { locating, type Piece } from "../language/position.ts";
import { expandWord, expandWords } from "../language/shell-words.ts";

/** Variables for proxies: RUN sees them without an ARG, and no cache and no image does. */
export const PROXY_NAMES: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [name, name.toLowerCase()]),
);

export class Scope {
  /** What substitution, and RUN, see. */
  readonly #seen: Map<string, string>;
  /** What the image keeps. */
  readonly #env: Map<string, string>;
  /** Arguments that were declared, with their values. */
  readonly #args: Map<string, string>;

  /** @param env of the base image @param args what a base that is a stage had */
  constructor(
    readonly escapeToken: string,
    env: readonly string[],
    args: ReadonlyMap<string, string>,
  ) {
    // What has no name is no variable, whatever the base image says.
    this.#env = new Map(env.map(splitVariable).filter(([name]) => name !== ""));
    this.#args = new Map(args);
    this.#seen = new Map([...this.#env, ...this.#args]);
  }

  setEnv(values: Iterable<readonly [string, string]>): void {
    for (const [name, value] of values) {
      this.#env.set(name, value);
      this.#seen.set(name, value);
    }
  }

  setArg(name: string, value: string | undefined): void {
    if (value === undefined) return;
    this.#args.set(name, value);
    this.#seen.set(name, value);
  }

  get env(): string[] {
    return [...this.#env].map(joinVariable);
  }

  get args(): ReadonlyMap<string, string> {
    return this.#args;
  }

  /** What a command sees. */
  get all(): string[] {
    return [...this.#seen].map(joinVariable);
  }

  lookup = (name: string): string | undefined => this.#seen.get(name);

  /** @throws {DockerfileError} */
  expand(piece: Piece): string {
    return locating(piece, () => expandWord(piece.text, this));
  }

  /** @throws {DockerfileError} */
  expandAll(piece: Piece): string[] {
    return locating(piece, () => expandWords(piece.text, this));
  }
}

function splitVariable(text: string): [string, string] {
  const equals = text.indexOf("=");
  return equals === -1 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

function joinVariable([name, value]: readonly [string, string]): string {
  return `${name}=${value}`;
}
