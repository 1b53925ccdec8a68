/**
 * Words as a Dockerfile has them: quotes, escapes and variables.
 * @see Dockerfile reference, "Environment replacement"; the behaviour is that of BuildKit
 */
import { substitute } from "./substitution.ts";

/** The value of a variable; `undefined` for one that is not set. */
export type Lookup = (name: string) => string | undefined;

export interface WordOptions {
  /** The escape character. */
  escapeToken: string;
  lookup: Lookup;
  /** Quotes and escapes stay as they are. */
  raw?: boolean;
  /** Quotes are letters like others, and the escape character is for itself, a dollar, a backtick and a line feed alone: as in a here-document. */
  keepQuotes?: boolean;
  /** Variables that are not set stay as they are written. */
  keepUnset?: boolean;
  /** Blanks between the operator of a here-document and its delimiter are part of the word. */
  joinsHeredocs?: boolean;
}

/** Where the word ends that begins at a place: at a blank that is neither quoted nor escaped, or with the text. */
export function wordEnd(text: string, escapeToken: string, begin = 0): number {
  let quote: string | null = null;
  for (let index = begin; index < text.length; index++) {
    const unit = text[index] as string;
    if (unit === escapeToken && quote !== "'") index++;
    else if (quote !== null) quote = unit === quote ? null : quote;
    else if (unit === '"' || unit === "'") quote = unit;
    else if (/\s/.test(unit)) return index;
  }
  return text.length;
}

/** Takes quotes and escapes away alone: variables stay, of which a later look may make something. @throws {Error} for a quote that is not closed */
export function withoutQuotes(text: string, escapeToken: string): string {
  let result = "";
  let quote: string | null = null;
  for (let index = 0; index < text.length; index++) {
    const unit = text[index] as string;
    if (unit === escapeToken && quote !== "'") result += text[++index] ?? "";
    else if (unit === quote) quote = null;
    else if (quote === null && (unit === '"' || unit === "'")) quote = unit;
    else result += unit;
  }
  if (quote !== null) throw new Error(`a quote is not closed: ${JSON.stringify(text.slice(0, 40))}`);
  return result;
}

/** Takes a word's quotes and escapes away and puts variables in: of all the text, blanks too. @throws {Error} */
export function expandWord(text: string, options: WordOptions): string {
  return new WordScanner(text, options).until(null).word;
}

/** {@link expandWord}, split at blanks that are not in quotes; also those that came with variables. @throws {Error} */
export function expandWords(text: string, options: WordOptions): string[] {
  return new WordScanner(text, options).until(null).words;
}

/** What a variable's own scanner needs of the rest. */
export interface Scanned {
  word: string;
  words: string[];
}

export class WordScanner {
  #at = 0;

  constructor(
    readonly text: string,
    readonly options: WordOptions,
  ) {}

  peek(): string | undefined {
    return this.text[this.#at];
  }

  next(): string | undefined {
    return this.text[this.#at++];
  }

  /** What an expression, a sticky one, matches here; it is passed over. Empty for nothing. */
  take(expression: RegExp): string {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  /** Reads on to a character that is not quoted, which it takes, or to the end. @param rawEscapes escapes stay, for patterns */
  until(stop: string | null, rawEscapes = false): Scanned {
    const words: string[] = [];
    let word = "";
    let current = "";
    let isWord = false;
    const endWord = () => {
      if (isWord) words.push(current);
      current = "";
      isWord = false;
    };
    const add = (text: string, isQuoted: boolean) => {
      word += text;
      if (text !== "" || isQuoted) isWord = true;
      current += text;
    };
    for (let unit = this.peek(); unit !== undefined; unit = this.peek()) {
      if (unit === stop) {
        this.next();
        endWord();
        return { word, words };
      }
      if (this.options.keepQuotes && (unit === "'" || unit === '"')) add(this.next() as string, false);
      else if (unit === "'") add(this.#single(), true);
      else if (unit === '"') add(this.#double(), true);
      else if (unit === "$") {
        // What a variable has is split, too.
        for (const part of substitute(this).split(/([ \t\n]+)/)) {
          if (/^[ \t\n]/.test(part)) {
            word += part;
            endWord();
          } else add(part, false);
        }
      } else if (unit === this.options.escapeToken) {
        this.next();
        if (this.options.raw || rawEscapes) add(unit, false);
        const escaped = this.next();
        if (!this.options.keepQuotes) {
          if (escaped !== undefined) add(escaped, true);
          continue;
        }
        const isSpecial = escaped === "$" || escaped === "`" || escaped === this.options.escapeToken;
        // A line that is continued has neither.
        if (escaped !== "\n") add(`${isSpecial ? "" : unit}${escaped ?? ""}`, true);
      } else if (unit === "<" && this.options.joinsHeredocs) add(this.take(/<<-?[ \t]*|</y), false);
      else if (/\s/.test(unit)) {
        this.next();
        word += unit;
        endWord();
      } else add(this.next() as string, false);
    }
    if (stop !== null) throw new Error(`the end comes before ${JSON.stringify(stop)}: a substitution is not closed`);
    endWord();
    return { word, words };
  }

  #single(): string {
    const begin = this.#at;
    this.next();
    const end = this.text.indexOf("'", this.#at);
    if (end === -1)
      throw new Error(`a single quote is not closed: ${JSON.stringify(this.text.slice(begin, begin + 40))}`);
    const content = this.text.slice(this.#at, end);
    this.#at = end + 1;
    return this.options.raw ? `'${content}'` : content;
  }

  #double(): string {
    const { escapeToken, raw } = this.options;
    const begin = this.#at;
    this.next();
    let content = "";
    for (;;) {
      const unit = this.peek();
      if (unit === undefined)
        throw new Error(`a double quote is not closed: ${JSON.stringify(this.text.slice(begin, begin + 40))}`);
      if (unit === '"') {
        this.next();
        return raw ? `"${content}"` : content;
      }
      if (unit === "$") {
        content += substitute(this);
        continue;
      }
      this.next();
      if (unit !== escapeToken) {
        content += unit;
        continue;
      }
      const escaped = this.next();
      if (escaped === undefined) continue;
      const isSpecial = escaped === '"' || escaped === "$" || escaped === escapeToken;
      content += raw || !isSpecial ? unit + escaped : escaped;
    }
  }
}
