/**
 * A Dockerfile as its instructions: directives, comments, continued lines and here-documents, as BuildKit reads them.
 *
 * dockerfile-ast was tried for this: made for editors, it forgives. It takes a doubled escape character for a continuation, so that the next
 * instruction becomes part of a value, sees no here-document in `3<<EOF`, has the quotes of a delimiter for a part of it, and
 * takes the end of the file for that of a here-document.
 */
import { type Heredoc, readHeredocs } from "./heredoc.ts";
import { DockerfileError, Piece, type Position } from "./position.ts";

export interface RawInstruction {
  /** In upper case. */
  keyword: string;
  /** Where the keyword stands. */
  at: Position;
  /** All that follows the keyword. */
  rest: Piece;
  heredocs: Heredoc[];
}

export interface Directive {
  value: string;
  at: Position;
}

export interface SplitFile {
  /** Directives by name, in lower case. */
  directives: ReadonlyMap<string, Directive>;
  /** The escape character. */
  escapeToken: string;
  instructions: RawInstruction[];
}

interface Line {
  text: string;
  number: number;
}

/** @param file name for messages @throws {DockerfileError} */
export function splitFile(text: string, file: string): SplitFile {
  const lines = linesOf(text, file);
  const { directives, escapeToken } = readDirectives(lines, file);
  const instructions: RawInstruction[] = [];
  const reader = new LineReader(lines, file, escapeToken);
  for (let piece = reader.logical(); piece !== null; piece = reader.logical()) {
    instructions.push(instructionOf(piece, reader));
  }
  return { directives, escapeToken, instructions };
}

/** Without a byte order mark; a line may end as on Windows, here-documents too. */
function linesOf(text: string, file: string): Line[] {
  const plain = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n");
  const lines = plain.split("\n").map((line, index) => ({ text: line, number: index + 1 }));
  if (lines.at(-1)?.text === "") lines.pop();
  for (const { text: line, number } of lines) {
    const control = /[\r\0]/.exec(line);
    if (control === null) continue;
    const what =
      control[0] === "\r" ? "a carriage return without a line feed: lines end with LF or CR LF" : "a NUL character";
    throw new DockerfileError({ file, line: number, column: control.index + 1 }, what);
  }
  return lines;
}

/** Directives are comments of the form `# name=value` at the very top. */
function readDirectives(lines: readonly Line[], file: string): Pick<SplitFile, "directives" | "escapeToken"> {
  const directives = new Map<string, Directive>();
  let escapeToken = "\\";
  for (const { text, number } of lines) {
    const match = /^\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.*?)\s*$/.exec(text);
    if (match === null) break;
    const name = (match[1] as string).toLowerCase();
    if (!["escape", "syntax", "check"].includes(name)) break;
    const value = match[2] as string;
    const at = { file, line: number, column: text.indexOf("#") + 1 };
    if (directives.has(name)) throw new DockerfileError(at, `the directive "${name}" is given twice: one is right`);
    directives.set(name, { value, at });
    if (name !== "escape") continue;
    if (value !== "\\" && value !== "`") {
      throw new DockerfileError(
        at,
        `invalid escape character ${JSON.stringify(value)}: a backslash or a backtick is right`,
      );
    }
    escapeToken = value;
  }
  return { directives, escapeToken };
}

class LineReader {
  #at = 0;

  constructor(
    readonly lines: readonly Line[],
    readonly file: string,
    readonly escapeToken: string,
  ) {}

  next(): Line | null {
    return this.lines[this.#at++] ?? null;
  }

  /** The next logical line, without comments; `null` at the end. */
  logical(): Piece | null {
    const places: { offset: number; at: Position }[] = [];
    let text = "";
    for (let line = this.next(); line !== null; line = this.next()) {
      if (isComment(line.text) || (places.length === 0 && line.text.trim() === "")) continue;
      // An empty line within a continued one is passed over.
      if (line.text.trim() === "") continue;
      const skipped = places.length === 0 ? line.text.length - line.text.trimStart().length : 0;
      const { content, isContinued } = this.#continuation(line.text.slice(skipped));
      places.push({ offset: text.length, at: { file: this.file, line: line.number, column: skipped + 1 } });
      text += content;
      if (!isContinued) return new Piece(text, places);
    }
    return text.trim() === "" ? null : new Piece(text, places);
  }

  /** A line is continued that ends with one escape character, blanks after it or not; two are an escaped one. */
  #continuation(line: string): { content: string; isContinued: boolean } {
    const end = line.replace(/[ \t]+$/, "");
    if (!end.endsWith(this.escapeToken) || end.endsWith(this.escapeToken + this.escapeToken))
      return { content: line, isContinued: false };
    return { content: end.slice(0, -1), isContinued: true };
  }
}

function isComment(line: string): boolean {
  return line.trimStart().startsWith("#");
}

function instructionOf(whole: Piece, reader: LineReader): RawInstruction {
  const piece = whole.trim();
  const keyword = /^\S+/.exec(piece.text)?.[0] ?? "";
  const rest = piece.slice(keyword.length).trim();
  const name = keyword.toUpperCase();
  return { keyword: name, at: piece.at(), rest, heredocs: readHeredocs(name, rest, reader) };
}
