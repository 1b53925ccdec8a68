// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** What a Dockerfile says: lines, here-documents, words and variables. */
import { describe, expect, test } from "vitest";
import { splitFile } from "../../../src/image/build/language/lines.ts";
import { parseDockerfile } from "../../../src/image/build/language/parse.ts";
import { expandWord, expandWords } from "../../../src/image/build/language/shell-words.ts";

function split(text: string): [keyword: string, rest: string][] {
  return splitFile(text, "Dockerfile").instructions.map(({ keyword, rest }) => [keyword, rest.text]);
}

describe("lines", () => {
  test("are continued by one escape character, with blanks after it or not", () => {
    expect(split("FROM a\nRUN a \\  \n  # comment\n\n  b\nRUN c\n")).toEqual([
      ["FROM", "a"],
      ["RUN", "a   b"],
      ["RUN", "c"],
    ]);
  });

  test("that end with two are not continued", () => {
    expect(split("FROM a\nENV a=b\\\\\nRUN x\n").map(([keyword]) => keyword)).toEqual(["FROM", "ENV", "RUN"]);
  });

  test.each([
    ["# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nRUN a `\n b\n"],
    ["#  EsCaPe  =  `  \nFROM a\nRUN a `\n b\n"],
    ["\ufeff# escape=`\r\nFROM a\r\nRUN a `\r\n b\r\n"],
  ])("follow the escape directive of %j", (text) => {
    expect(split(text)).toEqual([
      ["FROM", "a"],
      ["RUN", "a  b"],
    ]);
  });

  test.each([["# hi\n# escape=`\n"], ["\n# escape=`\n"], ["ARG x\n# escape=`\n"]])(
    "take a directive after something else, %j, for a comment",
    (top) => {
      expect(splitFile(`${top}FROM a\n`, "Dockerfile").escapeToken).toBe("\\");
    },
  );

  test("know where their parts stand", () => {
    const [, run] = splitFile("FROM a\n  RUN one \\\n    two\n", "Dockerfile").instructions;
    const rest = run?.rest;
    expect(rest?.at(rest.text.indexOf("two"))).toEqual({ file: "Dockerfile", line: 3, column: 5 });
    expect(run?.at).toEqual({ file: "Dockerfile", line: 2, column: 3 });
  });
});

describe("here-documents", () => {
  function heredocs(text: string) {
    return splitFile(text, "Dockerfile").instructions[0]?.heredocs;
  }

  test("may be several, quoted, and without tabs", () => {
    expect(heredocs('COPY <<a <<"b" <<-c /d/\n1\na\n$2\nb\n\t3\n\tc\n')).toEqual([
      { fd: "", name: "a", content: "1\n", expands: true, chomps: false },
      { fd: "", name: "b", content: "$2\n", expands: false, chomps: false },
      { fd: "", name: "c", content: "3\n", expands: true, chomps: true },
    ]);
  });

  test.each([
    "RUN <<EOF\nFROM x\nenv run\nEOF",
    "RUN <<E'O'F\nFROM x\nenv run\nEOF\n",
    "RUN 3<<EOF cat\r\nFROM x\r\nenv run\r\nEOF\r\n",
    "RUN << EOF\nFROM x\nenv run\nEOF\n",
    "RUN <<  EOF  > foo\nFROM x\nenv run\nEOF\n",
    "RUN cat 3<<\tE'O'F\nFROM x\nenv run\nEOF\n",
    "RUN cat <<- EOF\n\tFROM x\n\tenv run\n\tEOF\n",
    "RUN << -EOF\nFROM x\nenv run\n-EOF\n",
    "RUN echo $((1 << 2)) << EOF\nFROM x\nenv run\nEOF\n",
  ])("%j has lines that are no instructions", (text) => {
    expect(heredocs(text)?.[0]?.content).toBe("FROM x\nenv run\n");
    expect(split(text)).toHaveLength(1);
  });

  test.each([
    'RUN echo "<<EOF"',
    "RUN a <<<b",
    "ENV X=<<EOF",
    "CMD cat <<EOF",
    "RUN a<<EOF",
    'RUN ["a", "<<EOF"]',
    "RUN a<< EOF",
    "RUN a <<< EOF",
    "RUN a \\<< EOF",
    'RUN echo "<< EOF"',
    "CMD cat << EOF",
    "RUN echo $((1 << 2))",
    "RUN echo $(((3)<<2)) $((1 <<2))",
    "RUN ((x <<= 1))",
  ])("%j begins none", (line) => {
    expect(heredocs(`${line}\n`)).toEqual([]);
  });

  test("belong to the instruction that ONBUILD has", () => {
    const { stages } = parseDockerfile("FROM a\nONBUILD RUN <<E\nx\nE\n", "Dockerfile");
    expect(stages[0]?.instructions[0]).toMatchObject({ kind: "onbuild", trigger: "RUN <<E\nx\nE" });
  });
});

describe("variables", () => {
  const values: Record<string, string> = {
    set: "value",
    empty: "",
    path: "a/b/c.tar.gz",
    sp: "x y",
    größe: "7",
    slash: "/",
    wide: "a\u{1F600}x",
  };
  const options = { escapeToken: "\\", lookup: (name: string) => values[name] };

  test.each([
    ["$set", "value"],
    ["${set}x", "valuex"],
    ["${un:-d}|${un-d}|${un:+d}|${un+d}", "d|d||"],
    ["${empty:-d}|${empty-d}|${empty:+d}|${empty+d}", "d|||d"],
    ["${set:-d}|${set-d}|${set:+d}|${set+d}", "value|value|d|d"],
    ["${set:?m}|${set?m}|${empty?m}", "value|value|"],
    ["${path#*/}|${path##*/}", "b/c.tar.gz|c.tar.gz"],
    ["${path%.*}|${path%%.*}", "a/b/c.tar|a/b/c"],
    ["${path/\\//-}|${path//\\//-}|${path//[/x}", "a-b/c.tar.gz|a-b-c.tar.gz|a/b/c.tar.gz"],
    ["${path//\\//\\/}|${path/$slash/$set}", "a\\/b\\/c.tar.gz|avalueb/c.tar.gz"],
    ["${wide%?}|${wide#?}|${wide%%x*}", "a\u{1F600}|\u{1F600}x|a\u{1F600}"],
    ["${un:-${set}}", "value"],
    ['${un:-"a b"}', "a b"],
    ['\\$set \'$set\' "$set" "\\$set"', "$set $set value $set"],
    ['"a\\b" "a\\"b" a\\ b', 'a\\b a"b a b'],
    ["$", "$"],
    ["a$1b$", "ab$"],
    ["a$001b|${001:-c}|${0}|$0x", "ab|c||x"],
    ["$größe|${größe}m|$g_1", "7|7m|"],
  ])("%j becomes %j", (text, expected) => {
    expect(expandWord(text, options)).toBe(expected);
  });

  test("are split in words, unless they are quoted", () => {
    expect(expandWords("$sp \"$sp\" '' a", options)).toEqual(["x", "y", "x y", "", "a"]);
  });
});
