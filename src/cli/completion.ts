/** Completion scripts, made from the table of commands. */
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { globalOptions } from "./global-options.ts";
import type { Option, OptionTable } from "./option.ts";

export const shells = ["bash", "zsh", "fish"] as const;

export type Shell = (typeof shells)[number];

interface Entry {
  name: string;
  summary: string;
  options: [name: string, option: Option<unknown>][];
  takesContainer: boolean;
}

/** The script for a shell, to be sourced or put where the shell looks for it. */
export async function completionScript(shell: Shell): Promise<string> {
  const entries = await Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]): Promise<Entry> => {
      const { command } = (await load()) as { command: Command };
      return {
        name,
        summary,
        options: shown(command.options),
        takesContainer: /^<container-id>/.test(command.synopsis),
      };
    }),
  );
  return { bash, zsh, fish }[shell](entries, shown(globalOptions));
}

function shown(table: OptionTable): Entry["options"] {
  return Object.entries(table).filter(([, option]) => option.hidden !== true);
}

/** The spellings of options: `--bundle -b`. */
function spellings(options: Entry["options"]): string[] {
  return options.flatMap(([name, { short }]) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]);
}

function takingValues(options: Entry["options"]): Entry["options"] {
  return options.filter(([, { argument }]) => argument !== undefined);
}

/** Whether a value is the name of a file or directory. */
function takesPath({ argument = "" }: Option<unknown>): boolean {
  return /^(DIR|FILE|PATH|SOCKET)$/.test(argument);
}

function bash(entries: Entry[], global: Entry["options"]): string {
  const values = takingValues([...global, ...entries.flatMap(({ options }) => options)]);
  const chosen = new Map(
    values.filter(([, { choices }]) => choices).map(([name, { choices }]) => [name, choices ?? []]),
  );
  const cases = entries.map(
    ({ name, options }) =>
      `    ${name}) words="${spellings([...options, ...global.filter(([one]) => one === "help")]).join(" ")}" ;;`,
  );
  const containers = entries.filter(({ takesContainer }) => takesContainer).map(({ name }) => name);
  return `# bash completion for tsrunc
_tsrunc() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word index root=()
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$word" in
    --root) root=(--root "\${COMP_WORDS[index + 1]}"); index=$((index + 1)) ;;
    ${alternatives(takingValues(global).filter(([name]) => name !== "root"))}) index=$((index + 1)) ;;
    -*) ;;
    *) command="$word"; break ;;
    esac
  done
  case "$previous" in
${[...chosen].map(([name, words]) => `  --${name}) COMPREPLY=($(compgen -W "${words.join(" ")}" -- "$current")); return ;;`).join("\n")}
  ${alternatives(values.filter(([, option]) => takesPath(option)))}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$command" in
    "") words="${[...entries.map(({ name }) => name), "help", ...spellings(global)].join(" ")}" ;;
    help) words="${entries.map(({ name }) => name).join(" ")}" ;;
${cases.join("\n")}
  esac
  if [[ "$current" != -* ]]; then
    case "$command" in
    ${containers.join("|")}) words="$(tsrunc "\${root[@]}" list --quiet 2>/dev/null)" ;;
    completion) words="${shells.join(" ")}" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _tsrunc tsrunc
`;
}

/** A pattern for a shell's \`case\`. */
function alternatives(options: Entry["options"]): string {
  return [...new Set(spellings(options))].join("|");
}

function zsh(entries: Entry[], global: Entry["options"]): string {
  const block = ({ name, options, takesContainer }: Entry) => {
    const specs = options.map((option) => zshOption(option));
    if (takesContainer) specs.push(`'1:container:_tsrunc_containers'`);
    if (name === "completion") specs.push(`'1:shell:(${shells.join(" ")})'`);
    return `    ${name}) _arguments ${["'(-h --help)'{-h,--help}'[show help]'", ...specs].join(" ")} ;;`;
  };
  const described = entries.map(({ name, summary }) => `    '${name}:${zshEscape(summary)}'`);
  return `#compdef tsrunc
_tsrunc_containers() {
  local ids
  ids=(\${(f)"$(tsrunc \${opt_args[--root]:+--root \${opt_args[--root]}} list --quiet 2>/dev/null)"})
  compadd -a ids
}
_tsrunc() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands
  commands=(
${described.join("\n")}
    'help:show help'
  )
  _arguments -C ${global.map((option) => zshOption(option)).join(" ")} '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument)
    case $line[1] in
${entries.map(block).join("\n")}
    help) _describe command commands ;;
    esac
    ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tsrunc "$@"; else compdef _tsrunc tsrunc; fi
`;
}

function zshOption([name, option]: Entry["options"][number]): string {
  const { short, argument, choices } = option;
  const action = choices ? `(${choices.join(" ")})` : takesPath(option) ? "_files" : " ";
  const value = argument === undefined ? "" : `:${zshEscape(argument)}:${action}`;
  const help = `[${zshEscape(option.help)}]${value}`;
  const equals = argument === undefined ? "" : "=";
  if (short === undefined) return `'--${name}${equals}${help}'`;
  return `'(-${short} --${name})'{-${short},--${name}${equals}}'${help}'`;
}

function zshEscape(text: string): string {
  return text.replace(/([\\[\]:])/g, "\\$1").replaceAll("'", "'\\''");
}

function fish(entries: Entry[], global: Entry["options"]): string {
  const line = (condition: string, rest: string) => `complete -c tsrunc -n '${condition}' ${rest}`;
  const option = (condition: string, [name, one]: Entry["options"][number]) => {
    const short = one.short === undefined ? "" : ` -s ${one.short}`;
    const value =
      one.argument === undefined
        ? ""
        : one.choices
          ? ` -x -a '${one.choices.join(" ")}'`
          : takesPath(one)
            ? " -r -F"
            : " -x";
    return line(condition, `-l ${name}${short}${value} -d ${fishQuote(one.help)}`);
  };
  const names = [...entries.map(({ name }) => name), "help"].join(" ");
  const none = `not __fish_seen_subcommand_from ${names}`;
  return [
    "# fish completion for tsrunc",
    "complete -c tsrunc -f",
    ...global.map((one) => option(none, one)),
    ...entries.map(({ name, summary }) => line(none, `-a ${name} -d ${fishQuote(summary)}`)),
    line(none, "-a help -d 'show help'"),
    line("__fish_seen_subcommand_from help", `-a '${entries.map(({ name }) => name).join(" ")}'`),
    ...entries.flatMap(({ name, options, takesContainer }) => {
      const seen = `__fish_seen_subcommand_from ${name}`;
      const ids = takesContainer ? [line(seen, "-a '(tsrunc list --quiet 2>/dev/null)'")] : [];
      const words = name === "completion" ? [line(seen, `-a '${shells.join(" ")}'`)] : [];
      return [...options.map((one) => option(seen, one)), ...ids, ...words];
    }),
    "",
  ].join("\n");
}

function fishQuote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
