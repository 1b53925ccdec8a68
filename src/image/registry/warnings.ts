/** What a registry warns of beside its answers: shown once, and nothing is done about it. @see distribution-spec, "Warnings" */
import { printable } from "./registry-error.ts";

/** A registry sends no more bytes than these with a reply. */
const LONGEST = 4096;
/** How many are shown of one place: a registry has a few. */
const MOST = 16;

/** The texts of a `Warning` header, which may have several. Codes other than 299 are those of caches. */
export function parseWarnings(header: string): string[] {
  const texts: string[] = [];
  for (const [, code, text = ""] of header.matchAll(/(?:^|,)\s*(\d{3}) \S+ "((?:[^"\\]|\\.)*)"/g))
    if (code === "299") texts.push(printable(text.replace(/\\(.)/g, "$1"), LONGEST).trim());
  return texts.filter((text) => text !== "");
}

/** Those of one place that have been told. */
export class Warnings {
  readonly #told = new Set<string>();

  constructor(readonly tell: (line: string) => void) {}

  /** @param host who sent it */
  heard(header: string | undefined, host: string): void {
    for (const text of header === undefined ? [] : parseWarnings(header)) {
      const line = `warning: ${host}: ${text}`;
      if (this.#told.has(line) || this.#told.size >= MOST) continue;
      this.#told.add(line);
      this.tell(line);
    }
  }
}
