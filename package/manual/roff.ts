/** Roff with the macros of man(7), as far as the pages need it. Text goes in as it is meant, and comes out escaped. */

/** Text with a typeface, inside a line. */
export type Inline = string | { bold: string } | { italic: string };

/** A line of several typefaces as roff. */
export function inline(...parts: readonly Inline[]): string {
  const line = parts.map(typeset).join("");
  // A point or an apostrophe at the beginning would be a request.
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

function typeset(part: Inline): string {
  if (typeof part === "string") return escaped(part);
  return "bold" in part ? `\\fB${escaped(part.bold)}\\fR` : `\\fI${escaped(part.italic)}\\fR`;
}

/** A hyphen that is typed as one is `\-`: roff sets a plain one as a typographic hyphen, which nobody can copy. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("^", "\\(ha").replaceAll("~", "\\(ti");
}

/** The first line. @param date `YYYY-MM-DD` */
export function title(name: string, section: number, date: string, source: string, manual: string): string {
  // The date as it stands: with hyphens escaped it is no date to mandoc.
  return `.TH ${argument(name.toUpperCase())} ${section} ${date} ${argument(source)} ${argument(manual)}\n`;
}

export function heading(text: string): string {
  return `.SH ${argument(text)}\n`;
}

/**
 * Prose as help has it: an empty line parts paragraphs, what is between backticks is code, and lines that begin with a space stay lines.
 */
export function prose(text: string): string {
  return text
    .split(/\n{2,}/)
    .map((paragraph) =>
      paragraph
        .split(/\n(?=\s)|(?<=\n {1,20}[^\n]*)\n(?=\S)/)
        .map((part) => (part.startsWith(" ") ? verbatim(part.split("\n")) : filled(part)))
        .join(""),
    )
    .join(".PP\n");
}

function filled(text: string): string {
  const lines = text.split("\n").map((line) => inline(...code(line)));
  return `${lines.join("\n")}\n`;
}

/** Parts a line at its backticks. */
export function code(line: string): Inline[] {
  return line
    .split("`")
    .map((part, index) => (index % 2 === 1 ? { bold: part } : part))
    .filter((part) => part !== "");
}

/** Lines that stay as they are. */
export function verbatim(lines: readonly string[]): string {
  return `.nf\n${lines.map((line) => inline(line)).join("\n")}\n.fi\n`;
}

/** Lines that stay as they are, indented. */
export function example(lines: readonly string[]): string {
  return `.RS 4\n${verbatim(lines)}.RE\n`;
}

/** A term, and below it what is to be said of it. */
export function item(term: readonly Inline[], text: string): string {
  return `.TP\n${inline(...term)}\n${filled(text)}`;
}

/** An argument of a request. */
function argument(text: string): string {
  return `"${escaped(text).replaceAll('"', '""')}"`;
}
