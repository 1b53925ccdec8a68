/** Help texts, in the layout of runc's: its callers and tests look for `NAME:` and `tsrunc COMMAND - …`. */
import { type Command, Help, type Option } from "commander";
import { PROGRAM } from "./command.ts";
import type { Parser } from "./parser.ts";

const WIDTH = 100;
const INDENT = 3;

export class RuncHelp extends Help {
  override helpWidth = WIDTH;

  override formatHelp(command: Parser, helper: Help): string {
    const items = (rows: [term: string, description: string][]) => {
      const width = Math.max(...rows.map(([term]) => term.length));
      return rows.map(([term, description]) => helper.formatItem(term, width, description, helper).trimStart());
    };
    const commands = helper.visibleCommands(command);
    const options = helper.visibleOptions(command);
    const isProgram = command.name() === PROGRAM;
    const title = `${isProgram ? PROGRAM : `${PROGRAM} ${command.name()}`} - ${command.summary()}`;
    return [
      section("NAME", [title]),
      section("USAGE", [helper.commandUsage(command)]),
      section("DESCRIPTION", command.description() === "" ? [] : [command.description()]),
      section(command.examples.length > 1 ? "EXAMPLES" : "EXAMPLE", command.examples),
      section("COMMANDS", items(commands.map((one) => [one.name(), one.summary()]))),
      section(
        isProgram ? "GLOBAL OPTIONS" : "OPTIONS",
        items(options.map((one) => [helper.optionTerm(one), one.description])),
      ),
      ...(commands.length > 0
        ? [`"${PROGRAM} help${isProgram ? "" : ` ${command.name()}`} COMMAND" explains one.\n`]
        : []),
    ]
      .filter((text) => text !== "")
      .join("\n");
  }

  override commandUsage(command: Command): string {
    if (command.name() === PROGRAM) return `${PROGRAM} [global options] command [options] [arguments...]`;
    if (command.commands.length > 0) return `${PROGRAM} ${command.name()} command [options] [arguments...]`;
    return [PROGRAM, command.name(), ...(command.options.length > 0 ? ["[options]"] : []), this.#argumentsOf(command)]
      .join(" ")
      .trimEnd();
  }

  #argumentsOf(command: Command): string {
    return command.registeredArguments
      .map((argument) => {
        const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
        return argument.required ? `<${name}>` : `[${name}]`;
      })
      .join(" ");
  }

  /** A switch is shown without the value that it may have. */
  override optionTerm({ flags, required }: Option): string {
    return required ? flags : flags.replace(/ \[.*/, "");
  }
}

function section(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return "";
  const indented = lines
    .flatMap((line) => line.split("\n"))
    .map((line) => (line === "" ? "" : " ".repeat(INDENT) + line));
  return `${title}:\n${indented.join("\n")}\n`;
}
