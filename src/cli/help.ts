/** Help texts, in the layout of runc's: its callers and tests look for `NAME:` and `tsrunc COMMAND - …`. */
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { globalOptions } from "./global-options.ts";
import type { OptionTable } from "./option.ts";

const WIDTH = 100;

/** What `tsrunc --help` prints. */
export function programHelp(): string {
  const names = Object.keys(commands);
  const width = Math.max(...names.map((name) => name.length), "help, h".length) + 2;
  const lines = [
    ...names.map((name) => [name, commands[name]?.summary ?? ""]),
    ["help, h", "show help, of all or of one command"],
  ];
  return section("NAME", "tsrunc - Open Container Initiative runtime")
    .concat(section("USAGE", "tsrunc [global options] command [options] [arguments...]"))
    .concat(
      section(
        "DESCRIPTION",
        "Runs containers from OCI bundles: a bundle is a directory with config.json and a root filesystem.\n" +
          "The command line is runc's; crun's further options work, too.",
      ),
    )
    .concat(section("EXAMPLE", "tsrunc spec --bundle DIR\ntsrunc run --bundle DIR my-container"))
    .concat(section("COMMANDS", lines.map(([name = "", summary = ""]) => `${name.padEnd(width)}${summary}`).join("\n")))
    .concat(section("GLOBAL OPTIONS", describeOptions(globalOptions)))
    .concat('\n"tsrunc help COMMAND" explains one command.\n');
}

/** What `tsrunc help COMMAND` prints. */
export function commandHelp(name: string, command: Command): string {
  const hasOptions = Object.keys(command.options).length > 0;
  return section("NAME", `tsrunc ${name} - ${commands[name]?.summary ?? ""}`)
    .concat(
      section("USAGE", ["tsrunc", name, ...(hasOptions ? ["[options]"] : []), command.synopsis].join(" ").trimEnd()),
    )
    .concat(section("DESCRIPTION", command.description))
    .concat(section(command.examples.length > 1 ? "EXAMPLES" : "EXAMPLE", command.examples.join("\n")))
    .concat(section("OPTIONS", describeOptions({ ...command.options, help: globalOptions.help })));
}

function section(title: string, text: string): string {
  const lines = text.split("\n").map((line) => (line === "" ? "" : `   ${line}`));
  return `${title === "NAME" ? "" : "\n"}${title}:\n${lines.join("\n")}\n`;
}

function describeOptions(table: OptionTable): string {
  const shown = Object.entries(table).filter(([, option]) => option.hidden !== true);
  const rows = shown.map(([name, option]) => {
    const short = option.short === undefined ? "" : `, -${option.short}`;
    const argument = option.argument === undefined ? "" : ` ${option.argument}`;
    return [`--${name}${short}${argument}`, option.help] as const;
  });
  const width = Math.min(28, Math.max(...rows.map(([label]) => label.length)) + 2);
  return rows.map(([label, help]) => describeOption(label, help, width)).join("\n");
}

function describeOption(label: string, help: string, width: number): string {
  const [first = "", ...more] = wrap(help, WIDTH - width);
  const indent = " ".repeat(width);
  const lines = more.map((line) => indent + line);
  return label.length + 2 > width
    ? [label, indent + first, ...lines].join("\n")
    : [label.padEnd(width) + first, ...lines].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
