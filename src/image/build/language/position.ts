/** Where something stands in a Dockerfile, and errors that say so. */

import { withoutPasswords } from "../passwords.ts";

/** A place in a file, both counted from 1. */
export interface Position {
  file: string;
  line: number;
  column: number;
}

/** What is wrong with a Dockerfile, or with what it asks for: `Dockerfile:3:5: …`. */
export class DockerfileError extends Error {
  override readonly name = "DockerfileError";

  constructor(
    readonly at: Position,
    readonly what: string,
  ) {
    super(`${at.file}:${at.line}:${at.column}: ${withoutPasswords(what)}`);
  }
}

/** A piece of a logical line, which knows where each of its characters stands in the file. */
export class Piece {
  /** @param places where the text's parts begin, in order; a part reaches to the next */
  constructor(
    readonly text: string,
    private readonly places: readonly { offset: number; at: Position }[],
    private readonly start = 0,
  ) {}

  /** The place of a character. */
  at(offset = 0): Position {
    const wanted = this.start + offset;
    let found = this.places[0] as { offset: number; at: Position };
    for (const place of this.places) {
      if (place.offset > wanted) break;
      found = place;
    }
    return { ...found.at, column: found.at.column + wanted - found.offset };
  }

  slice(from: number, to: number = this.text.length): Piece {
    return new Piece(this.text.slice(from, to), this.places, this.start + from);
  }

  /** Another text at this place: what was written in another form. */
  replaced(text: string): Piece {
    return new Piece(text, [{ offset: 0, at: this.at() }]);
  }

  /** Without blanks at both ends. */
  trim(): Piece {
    const from = this.text.length - this.text.trimStart().length;
    return this.slice(from, Math.max(from, this.text.trimEnd().length));
  }

  /** The words between blanks. */
  words(): Piece[] {
    return [...this.text.matchAll(/\S+/g)].map((match) => this.slice(match.index, match.index + match[0].length));
  }

  /** @throws {DockerfileError} always */
  fail(what: string, offset = 0): never {
    throw new DockerfileError(this.at(offset), what);
  }
}

/** Runs what knows no positions: its errors become ones at a piece. */
export function locating<T>(piece: Piece, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof DockerfileError) throw error;
    throw new DockerfileError(piece.at(), (error as Error).message);
  }
}
