/** The completion scripts: bash's is run, the others are checked for what they offer. */
import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { allCommands, commands, shownEntries } from "../../src/cli/commands.ts";
import { completionScript } from "../../src/cli/completion.ts";

const offered = shownEntries(commands).map(([name]) => name);

const bashScript = await completionScript("bash");

/** What bash offers after these words, the last of which is the one being typed. */
function complete(...words: string[]): string[] {
  const program = `
    tsrunc() { printf '%s\\n' web-1 "args:$*"; }
    ${bashScript}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tsrunc; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["-c", program, "bash", "tsrunc", ...words], { encoding: "utf8" });
  return out.split("\n").filter((line) => line !== "");
}

describe("bash", () => {
  test("completes commands and global options", () => {
    expect(complete("")).toEqual(expect.arrayContaining([...offered, "help", "--root", "--version"]));
    expect(complete("s")).toEqual(["spec", "start", "state"]);
    expect(complete("--log-f")).toEqual(["--log-format"]);
  });

  test("completes a command's own options", () => {
    expect(complete("run", "--pid")).toEqual(["--pidfd-socket", "--pid-file"]);
    expect(complete("list", "--")).toEqual(["--format", "--quiet", "--help"]);
  });

  test("completes the words of a choice", () => {
    expect(complete("--log-format", "")).toEqual(["text", "json"]);
    expect(complete("list", "--format", "j")).toEqual(["json"]);
    expect(complete("completion", "")).toEqual(["bash", "zsh", "fish"]);
  });

  test("completes container ids, from the root that was given", () => {
    expect(complete("kill", "web")).toEqual(["web-1"]);
    expect(complete("--root", "/r", "state", "")).toEqual(expect.arrayContaining(["web-1", "args:--root"]));
  });

  test("finds the command behind global options with values", () => {
    expect(complete("--log", "x", "--debug", "features", "--")).toEqual(["--help"]);
  });

  test("completes the commands of a group, and what belongs to each", () => {
    expect(complete("mounts", "")).toEqual(expect.arrayContaining(["add", "remove"]));
    expect(complete("mounts", "r")).toEqual(["remove"]);
    expect(complete("mounts", "add", "web")).toEqual(["web-1"]);
    expect(complete("mounts", "add", "--")).toEqual(["--help"]);
  });

  test("completes the names of commands for help", () => {
    expect(complete("help", "pa")).toEqual(["pause"]);
  });
});

describe.each(["zsh", "fish"] as const)("%s", (shell) => {
  test("offers every command and option", async () => {
    const script = await completionScript(shell);
    for (const [path, { summary, load }] of allCommands()) {
      expect(script).toContain(path.at(-1));
      expect(script).toContain(summary.replaceAll("'", shell === "zsh" ? "'\\''" : "\\'"));
      const options: Record<string, { hidden?: boolean }> = (await load()).command.options;
      for (const [option, { hidden = false }] of Object.entries(options)) {
        if (hidden) continue;
        expect(script).toContain(shell === "zsh" ? `--${option}` : `-l ${option} `);
      }
    }
  });

  test("is a script that the shell takes", async ({ skip }) => {
    const script = await completionScript(shell);
    const { error, stderr, status } = spawnSync(shell, ["-n"], { input: script, encoding: "utf8" });
    skip(error !== undefined, `needs ${shell}`);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });
});
