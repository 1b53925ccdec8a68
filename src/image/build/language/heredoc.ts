/** Here-documents of RUN, COPY and ADD. @see Dockerfile reference, "Here-Documents" */
import type { Piece } from "./position.ts";
import { expandWord, expandWords, wordEnd } from "./shell-words.ts";

export interface Heredoc {
  /** The delimiter, without quotes. */
  name: string;
  /** The lines, each with its line feed; leading tabs are gone where `<<-` says so. */
  content: string;
  /** Whether variables are expanded: where no part of the delimiter is quoted. */
  expands: boolean;
  /** Whether it is `<<-`. */
  chomps: boolean;
  /** The descriptor's number, or empty. */
  fd: string;
}

interface Lines {
  readonly escapeToken: string;
  next(): { text: string; number: number } | null;
}

/**
 * A word that begins a here-document. As in a shell, blanks may be before the delimiter; BuildKit's tests have them after `<<-`, too, and its code
 * after `<<` alone.
 * @returns `null` for another one
 */
export function parseHeredoc(word: string, escapeToken: string): Omit<Heredoc, "content"> | null {
  const match = /^(\d*)<<(-?)\s*([^<]*)$/.exec(word);
  if (match === null) return null;
  const [, fd = "", dash, delimiter = ""] = match;
  const options = { escapeToken, lookup: () => undefined, keepUnset: true };
  const words = expandWords(delimiter, options);
  if (words.length !== 1) return null;
  const name = words[0] as string;
  return { fd, chomps: dash === "-", name, expands: name === expandWord(delimiter, { ...options, raw: true }) };
}

/** `$((…))` and `((…))` of a shell. */
const ARITHMETIC = /\(\((?:(?!\)\)).)*\)\)/gs;

/** The words of a line that begin here-documents. @throws {Error} for a quote that is not closed */
function heredocWords(rest: Piece, escapeToken: string): Omit<Heredoc, "content">[] {
  // In arithmetic it moves bits.
  const text = rest.text.replace(ARITHMETIC, (part) => part.replaceAll("<", "-"));
  const options = { escapeToken, lookup: () => undefined, keepUnset: true, raw: true, joinsHeredocs: true };
  const words = expandWords(text, options);
  return words.flatMap((word) => parseHeredoc(word, escapeToken) ?? []);
}

/** Reads the here-documents that an instruction begins. @throws {DockerfileError} for one without an end */
export function readHeredocs(keyword: string, rest: Piece, lines: Lines): Heredoc[] {
  if (!rest.text.includes("<<") || !mayHave(keyword, rest)) return [];
  let begun: Omit<Heredoc, "content">[];
  try {
    begun = heredocWords(rest, lines.escapeToken);
  } catch (error) {
    // A quote that is not closed concerns the shell, unless it is a delimiter's.
    const last = beginOfLastWord(rest.text, lines.escapeToken);
    const offset = /(?<=^|\s)\d*<<-?\s+$/.exec(rest.text.slice(0, last))?.index ?? last;
    if (/^\d*<<-?\s*[^<\s]/.test(rest.text.slice(offset)))
      rest.fail(`the delimiter of a here-document: ${(error as Error).message}`, offset);
    return [];
  }
  return begun.map((heredoc) => ({ ...heredoc, content: readContent(heredoc, rest, lines) }));
}

/** Where the word begins that the text ends in, which a quote that is not closed makes reach to its end. */
function beginOfLastWord(text: string, escapeToken: string): number {
  let begin = 0;
  let end = wordEnd(text, escapeToken);
  while (end < text.length) {
    begin = end + 1;
    end = wordEnd(text, escapeToken, begin);
  }
  return begin;
}

function mayHave(keyword: string, rest: Piece): boolean {
  if (keyword === "ONBUILD") return /^(RUN|COPY|ADD)\s/i.test(rest.text);
  if (!["RUN", "COPY", "ADD"].includes(keyword)) return false;
  return !isArray(rest.text);
}

function isArray(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

function readContent({ name, chomps }: Omit<Heredoc, "content">, rest: Piece, lines: Lines): string {
  let content = "";
  let lookalike: number | null = null;
  for (let line = lines.next(); line !== null; line = lines.next()) {
    const text = chomps ? line.text.replace(/^\t+/, "") : line.text;
    if (text === name) return content;
    if (text.trim() === name) lookalike ??= line.number;
    content += `${text}\n`;
  }
  const hint =
    lookalike === null
      ? `a line with nothing but ${name} is missing`
      : `line ${lookalike} has blanks beside ${name}: they must go${chomps ? "" : ", or <<- takes tabs before it"}`;
  const offset = Math.max(0, rest.text.indexOf("<<"));
  return rest.fail(`the here-document ${JSON.stringify(name)} has no end: ${hint}`, offset);
}
