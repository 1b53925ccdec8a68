/**
 * The manual: a page for the program, for each group of commands and for each command, all made of the table of commands that help
 * and completion come from.
 */
import type { Option } from "commander";
import { PROGRAM } from "../../src/cli/command.ts";
import { type CommandTable, commands, shownEntries } from "../../src/cli/commands.ts";
import { program } from "../../src/cli/global-options.ts";
import { Parser, parserOf } from "../../src/cli/parser.ts";
import { version } from "../../src/cli/version.ts";
import { example, heading, type Inline, inline, item, prose, title } from "./roff.ts";

/** User commands, where crun has its page, too. */
export const SECTION = 1;

export interface Page {
  /** Such as `tsrunc-image-pull`; the file is `NAME.1`. */
  name: string;
  roff: string;
}

/** What the pages say that help does not. */
const EXIT_STATUS: readonly [string, string][] = [
  ["0", "done"],
  ["1", "an error, which is on the standard error as one line"],
  ["3", "no such command"],
  ["255", "`exec` could not start its process, or `run` could not execute it"],
  ["any", "`run`, `exec` and `image run` in the foreground: the process's own; 128 + N when signal N ended it"],
];

const FILES: readonly [string, string][] = [
  ["/run/tsrunc", "states of containers; for an ordinary user $XDG_RUNTIME_DIR/tsrunc"],
  ["/var/lib/tsrunc", "images; for an ordinary user below $XDG_DATA_HOME"],
  ["/usr/lib/tsrunc", "the executable and its engine, where a package puts them"],
  ["/usr/share/doc/tsrunc/examples", "what Podman, containerd and Docker need to know"],
];

/** Every page. @param date of the sources, `YYYY-MM-DD` */
export async function manualPages(date: string): Promise<Page[]> {
  return [programPage(date), ...(await tablePages(commands, [], date))];
}

async function tablePages(table: CommandTable, before: readonly string[], date: string): Promise<Page[]> {
  const pages: Page[] = [];
  for (const [name, entry] of shownEntries(table)) {
    const path = [...before, name];
    if (entry.kind === "command") {
      const { parser } = await parserOf(path, entry);
      pages.push(commandPage(path, parser, date));
      continue;
    }
    pages.push(groupPage(path, entry.summary, entry.commands, date), ...(await tablePages(entry.commands, path, date)));
  }
  return pages;
}

function programPage(date: string): Page {
  const parser = new Parser(PROGRAM, program.summary, program);
  const synopsis = inline({ bold: PROGRAM }, " [", { italic: "global options" }, "] ", { italic: "command" }, " …");
  return page([], program.summary, date, [
    heading("SYNOPSIS"),
    `${synopsis}\n`,
    heading("DESCRIPTION"),
    prose(program.description),
    heading("COMMANDS"),
    commandList(commands, []),
    heading("GLOBAL OPTIONS"),
    optionList(parser),
    heading("EXIT STATUS"),
    ...EXIT_STATUS.map(([code, meaning]) => item([{ bold: code }], meaning)),
    heading("FILES"),
    ...FILES.map(([path, meaning]) => item([{ italic: path }], meaning)),
    examples(program.examples),
    seeAlso(["runc(8)", "crun(1)", "podman(1)"]),
  ]);
}

function groupPage(path: readonly string[], summary: string, table: CommandTable, date: string): Page {
  return page(path, summary, date, [
    heading("SYNOPSIS"),
    `${inline({ bold: spoken(path) }, " ", { italic: "command" }, " …")}\n`,
    heading("COMMANDS"),
    commandList(table, path),
    seeAlso([`${parent(path)}(${SECTION})`]),
  ]);
}

function commandPage(path: readonly string[], parser: Parser, date: string): Page {
  return page(path, parser.summary(), date, [
    heading("SYNOPSIS"),
    synopsisOf(path, parser),
    heading("DESCRIPTION"),
    prose(parser.description()),
    heading("OPTIONS"),
    optionList(parser),
    examples(parser.examples),
    seeAlso([`${parent(path)}(${SECTION})`]),
  ]);
}

function page(path: readonly string[], summary: string, date: string, parts: readonly string[]): Page {
  const name = pageName(path);
  const head = [
    title(name, SECTION, date, `tsrunc ${version}`, "tsrunc"),
    // Else lines are filled to both margins, and long words that are options are parted.
    ".ad l\n.nh\n",
    heading("NAME"),
    `${inline(name, " - ", summary)}\n`,
  ];
  return { name, roff: [...head, ...parts].join("") };
}

function synopsisOf(path: readonly string[], parser: Parser): string {
  const parts: Inline[] = [{ bold: spoken(path) }];
  if (parser.options.length > 0) parts.push(" [", { italic: "options" }, "]");
  for (const argument of parser.registeredArguments) {
    const name: Inline = { italic: argument.name() };
    const dots = argument.variadic ? "..." : "";
    parts.push(...(argument.required ? [" ", name, dots] : [" [", name, dots, "]"]));
  }
  return `${inline(...parts)}\n`;
}

function commandList(table: CommandTable, before: readonly string[]): string {
  return shownEntries(table)
    .map(([name, entry]) => item(reference([...before, name]), entry.summary))
    .join("");
}

/** The page of a command. */
function reference(path: readonly string[]): Inline[] {
  return [{ bold: pageName(path) }, `(${SECTION})`];
}

function optionList(parser: Parser): string {
  const help = parser.createHelp();
  return help
    .visibleOptions(parser)
    .map((option) => item(optionTerm(option, help.optionTerm(option)), option.description))
    .join("");
}

/** `-b, --bundle DIR`: what is typed in bold, and what is put in its place in italics. */
function optionTerm({ required }: Option, term: string): Inline[] {
  const [, spelling = term, value = ""] = (required && /^(.*?) <(.*)>$/.exec(term)) || [];
  const names = spelling.split(", ").flatMap((name, index): Inline[] => [index > 0 ? ", " : "", { bold: name }]);
  return value === "" ? names : [...names, " ", { italic: value }];
}

function examples(lines: readonly string[]): string {
  return lines.length === 0 ? "" : heading(lines.length > 1 ? "EXAMPLES" : "EXAMPLE") + example(lines);
}

function seeAlso(pages: readonly string[]): string {
  const parts = pages.flatMap((one, index): Inline[] => {
    const [name = one, section = ""] = one.split("(");
    return [index > 0 ? ", " : "", { bold: name }, `(${section}`];
  });
  return `${heading("SEE ALSO")}${inline(...parts)}\n`;
}

function pageName(path: readonly string[]): string {
  return [PROGRAM, ...path].join("-");
}

function spoken(path: readonly string[]): string {
  return [PROGRAM, ...path].join(" ");
}

function parent(path: readonly string[]): string {
  return pageName(path.slice(0, -1));
}
