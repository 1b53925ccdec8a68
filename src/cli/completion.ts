/** Completion scripts, made from the table of commands. */
import type { Option } from "commander";
import { PROGRAM } from "./command.ts";
import { allCommands, type CommandTable, commands, shownEntries } from "./commands.ts";
import { program } from "./global-options.ts";
import { Parser, parserOf } from "./parser.ts";

export const shells = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof shells)[number];

interface Leaf {
  /** The names that lead to it. */
  path: string[];
  options: readonly Option[];
  /** What its first argument is called. */
  first: string | undefined;
}

/** The program itself, or a group of commands. */
interface Branch {
  path: string[];
  children: { name: string; summary: string }[];
}

interface Tree {
  global: readonly Option[];
  branches: Branch[];
  leaves: Leaf[];
}

/** The script for a shell, to be sourced or put where the shell looks for it. */
export async function completionScript(shell: Shell): Promise<string> {
  const leaves = await Promise.all(
    allCommands().map(async ([path, entry]): Promise<Leaf> => {
      const { parser } = await parserOf(path, entry);
      return { path, options: visibleOptions(parser), first: parser.registeredArguments[0]?.name() };
    }),
  );
  const global = visibleOptions(new Parser(PROGRAM, program.summary, program));
  return { bash, zsh, fish }[shell]({ global, branches: branchesOf(commands, []), leaves });
}

function branchesOf(table: CommandTable, path: string[]): Branch[] {
  const entries = shownEntries(table);
  const children = entries.map(([name, { summary }]) => ({ name, summary }));
  const more = entries.flatMap(([name, entry]) =>
    entry.kind === "group" ? branchesOf(entry.commands, [...path, name]) : [],
  );
  return [{ path, children }, ...more];
}

function visibleOptions(parser: Parser): Option[] {
  return parser.createHelp().visibleOptions(parser);
}

/** The spellings of options: `--bundle -b`. */
function spellings(options: readonly Option[]): string[] {
  return options.flatMap(({ long, short }) => [long, short].filter((one) => typeof one === "string"));
}

function takingValues(options: readonly Option[]): Option[] {
  return options.filter(({ required }) => required);
}

/** What the value is called in help. */
function argumentOf({ flags }: Option): string {
  return /<(.*)>/.exec(flags)?.[1] ?? "";
}

/** Whether a value is the name of a file or directory. */
function takesPath(option: Option): boolean {
  return /^(DIR|FILE|PATH|SOCKET)$/.test(argumentOf(option));
}

function bash({ global, branches, leaves }: Tree): string {
  const [root, ...groups] = branches.map(({ path, children }) => ({
    path: path.join(" "),
    names: children.map(({ name }) => name).join(" "),
  }));
  const values = takingValues([...global, ...leaves.flatMap(({ options }) => options)]);
  const chosen = new Map(values.flatMap(({ long, argChoices }) => (argChoices ? [[long, argChoices] as const] : [])));
  const paths = (wanted: string) =>
    leaves.flatMap(({ path, first }) => (first === wanted ? [quoted(path)] : [])).join("|") || '""';
  return `# bash completion for tsrunc
_tsrunc() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" words="" word index root=()
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$word" in
    --root) root=(--root "\${COMP_WORDS[index + 1]}"); index=$((index + 1)) ;;
    ${alternatives(takingValues(global).filter(({ long }) => long !== "--root"))}) index=$((index + 1)) ;;
    -*) ;;
    *)
      path="\${path:+$path }$word"
      case "$path" in ${groups.map(({ path }) => `"${path}"`).join("|")}) ;; *) break ;; esac
      ;;
    esac
  done
  case "$previous" in
${[...chosen].map(([name, words]) => `  ${name}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")); return ;;`).join("\n")}
  ${alternatives(values.filter(takesPath))}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$path" in
    "") words="${root?.names} help ${spellings(global).join(" ")}" ;;
    help) words="${root?.names}" ;;
${groups.map(({ path, names }) => `    "${path}") words="${names} --help" ;;`).join("\n")}
${leaves.map(({ path, options }) => `    ${quoted(path)}) words="${spellings(options).join(" ")}" ;;`).join("\n")}
  esac
  if [[ "$current" != -* ]]; then
    case "$path" in
    ${paths("container-id")}) words="$(tsrunc "\${root[@]}" list --quiet 2>/dev/null)" ;;
    ${paths("shell")}) words="${shells.join(" ")}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _tsrunc tsrunc
`;
}

function quoted(path: readonly string[]): string {
  return `"${path.join(" ")}"`;
}

/** A pattern for a shell's \`case\`. */
function alternatives(options: readonly Option[]): string {
  return [...new Set(spellings(options))].join("|");
}

function zsh({ global, branches, leaves }: Tree): string {
  return `#compdef tsrunc
_tsrunc_containers() {
  local ids
  ids=(\${(f)"$(tsrunc \${opt_args[--root]:+--root \${opt_args[--root]}} list --quiet 2>/dev/null)"})
  compadd -a ids
}
${branches.map((branch) => zshBranch(branch, branch.path.length === 0 ? global : [], leaves)).join("")}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tsrunc "$@"; else compdef _tsrunc tsrunc; fi
`;
}

/** A function that completes the names of commands, and what belongs to each. */
function zshBranch({ path, children }: Branch, options: readonly Option[], leaves: readonly Leaf[]): string {
  const isProgram = path.length === 0;
  const described = children.map(({ name, summary }) => `    '${name}:${zshEscape(summary)}'`);
  const cases = children.map(({ name }) => {
    const leaf = leaves.find((one) => one.path.join(" ") === [...path, name].join(" "));
    return `    ${name}) ${leaf === undefined ? zshFunction([...path, name]) : zshArguments(leaf)} ;;`;
  });
  return `${zshFunction(path)}() {
  local curcontext="$curcontext" state line
  ${isProgram ? "typeset -A opt_args\n  " : ""}local -a commands
  commands=(
${[...described, ...(isProgram ? ["    'help:show help'"] : [])].join("\n")}
  )
  _arguments -C ${[...options.map(zshOption), "'1:command:->command'", "'*::argument:->argument'"].join(" ")}
  case $state in
  command) _describe command commands ;;
  argument)
    case $line[1] in
${[...cases, ...(isProgram ? ["    help) _describe command commands ;;"] : [])].join("\n")}
    esac
    ;;
  esac
}
`;
}

function zshFunction(path: readonly string[]): string {
  return ["_tsrunc", ...path].join("_");
}

function zshArguments({ options, first }: Leaf): string {
  const specs = options.map(zshOption);
  if (first === "container-id") specs.push(`'1:container:_tsrunc_containers'`);
  if (first === "shell") specs.push(`'1:shell:(${shells.join(" ")})'`);
  return `_arguments ${specs.join(" ")}`;
}

function zshOption(option: Option): string {
  const { short, long, required, argChoices, description } = option;
  const action = argChoices ? `(${argChoices.join(" ")})` : takesPath(option) ? "_files" : " ";
  const value = required ? `:${zshEscape(argumentOf(option))}:${action}` : "";
  const help = `[${zshEscape(description)}]${value}`;
  const equals = required ? "=" : "";
  if (short === undefined) return `'${long}${equals}${help}'`;
  return `'(${short} ${long})'{${short},${long}${equals}}'${help}'`;
}

function zshEscape(text: string): string {
  return text.replace(/([\\[\]:])/g, "\\$1").replaceAll("'", "'\\''");
}

function fish({ global, branches, leaves }: Tree): string {
  const line = (condition: string, rest: string) => `complete -c tsrunc -n '${condition}' ${rest}`;
  const option = (condition: string, one: Option) => {
    const short = one.short === undefined ? "" : ` -s ${one.short.slice(1)}`;
    const words = one.argChoices ? ` -x -a '${one.argChoices.join(" ")}'` : takesPath(one) ? " -r -F" : " -x";
    return line(condition, `-l ${one.name()}${short}${one.required ? words : ""} -d ${fishQuote(one.description)}`);
  };
  const seen = (path: readonly string[]) => path.map((name) => `__fish_seen_subcommand_from ${name}`).join("; and ");
  const names = [...(branches[0]?.children ?? []).map(({ name }) => name)].join(" ");
  const none = `not __fish_seen_subcommand_from ${names} help`;
  return [
    "# fish completion for tsrunc",
    "complete -c tsrunc -f",
    ...global.map((one) => option(none, one)),
    line(none, "-a help -d 'show help'"),
    line("__fish_seen_subcommand_from help", `-a '${names}'`),
    ...branches.flatMap(({ path, children }) => {
      const others = `not __fish_seen_subcommand_from ${children.map(({ name }) => name).join(" ")}`;
      const condition = path.length === 0 ? none : `${seen(path)}; and ${others}`;
      return children.map(({ name, summary }) => line(condition, `-a ${name} -d ${fishQuote(summary)}`));
    }),
    ...leaves.flatMap(({ path, options, first }) => {
      const ids = first === "container-id" ? [line(seen(path), "-a '(tsrunc list --quiet 2>/dev/null)'")] : [];
      const words = first === "shell" ? [line(seen(path), `-a '${shells.join(" ")}'`)] : [];
      return [...options.map((one) => option(seen(path), one)), ...ids, ...words];
    }),
    "",
  ].join("\n");
}

function fishQuote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
