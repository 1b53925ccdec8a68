import { describe, expect, test } from "vitest";
import { choice, count, counts, list, optionalToggle, parseOptions, text, toggle } from "../../src/cli/option.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

const table = {
  bundle: text("DIR", "", { short: "b" }),
  detach: toggle("", { short: "d" }),
  tty: toggle("", { short: "t" }),
  "no-new-privs": optionalToggle(""),
  "preserve-fds": count("N", ""),
  "additional-gids": counts("GID", "", { short: "g" }),
  env: list("NAME=VALUE", "", { short: "e" }),
  format: choice(["table", "json"], "", { short: "f" }),
};

const initial = {
  bundle: undefined,
  detach: false,
  tty: false,
  "no-new-privs": undefined,
  "preserve-fds": 0,
  "additional-gids": [],
  env: [],
  format: "table",
};

describe("options are read in every form that Go's flag packages and getopt_long take", () => {
  const forms: [argv: string[], changed: Partial<Record<keyof typeof table, unknown>>, args: string[]][] = [
    [[], {}, []],
    [["--bundle", "/b"], { bundle: "/b" }, []],
    [["-bundle", "/b"], { bundle: "/b" }, []],
    [["--bundle=/b"], { bundle: "/b" }, []],
    [["-bundle=/b"], { bundle: "/b" }, []],
    [["-b", "/b"], { bundle: "/b" }, []],
    [["-b=/b"], { bundle: "/b" }, []],
    [["-b/b"], { bundle: "/b" }, []],
    [["--bundle="], { bundle: "" }, []],
    [["--bundle", "--odd"], { bundle: "--odd" }, []],
    [["--bundle", "/a", "--bundle", "/b"], { bundle: "/b" }, []],
    [["--detach"], { detach: true }, []],
    [["-d"], { detach: true }, []],
    [["--detach=true"], { detach: true }, []],
    [["--detach=1"], { detach: true }, []],
    [["--detach", "--detach=false"], { detach: false }, []],
    [["--detach=F"], { detach: false }, []],
    [["--detach", "false"], { detach: true }, ["false"]],
    [["-td"], { tty: true, detach: true }, []],
    [["-tde", "A=1"], { tty: true, detach: true, env: ["A=1"] }, []],
    [["-teA=1"], { tty: true, env: ["A=1"] }, []],
    [["--no-new-privs"], { "no-new-privs": true }, []],
    [["--no-new-privs=false"], { "no-new-privs": false }, []],
    [["--preserve-fds", "3"], { "preserve-fds": 3 }, []],
    [["-g", "1", "--additional-gids=2"], { "additional-gids": [1, 2] }, []],
    [["-e", "A=1,2", "--env", "B=x=y", "--env=C="], { env: ["A=1,2", "B=x=y", "C="] }, []],
    [["-e", "A=line\nbreak", "--env=B=line\nbreak"], { env: ["A=line\nbreak", "B=line\nbreak"] }, []],
    [["-f", "json"], { format: "json" }, []],
    [["id", "--detach"], { detach: true }, ["id"]],
    [["--", "--detach"], {}, ["--detach"]],
    [["-"], {}, ["-"]],
    [[""], {}, [""]],
  ];
  test.each(forms)("%j", (argv, changed, args) => {
    expect(parseOptions(table, argv)).toMatchObject({ options: { ...initial, ...changed }, args });
  });
});

test("with stopAtFirst the first argument ends the options, and what follows is kept as it is", () => {
  const { options, args } = parseOptions(table, ["-d", "id", "cmd", "-t", "--", "--env"], { stopAtFirst: true });
  expect(options.detach).toBe(true);
  expect(options.tty).toBe(false);
  expect(args).toEqual(["id", "cmd", "-t", "--", "--env"]);
});

test("which options were given is told apart from their defaults", () => {
  expect([...parseOptions(table, ["-f", "table", "--tty=false"]).given]).toEqual(["format", "tty"]);
});

test("a table's defaults are not changed by reading", () => {
  parseOptions(table, ["-e", "A=1"]);
  expect(parseOptions(table, []).options.env).toEqual([]);
});

describe("what cannot be understood is named", () => {
  const wrong: [argv: string[], message: string][] = [
    [["--nope"], "flag provided but not defined: --nope"],
    [["-nope=1"], "flag provided but not defined: -nope"],
    [["-x"], "flag provided but not defined: -x"],
    [["-dx"], "flag provided but not defined: -dx"],
    [["--d=1x"], 'invalid value "1x" for --detach: true or false is expected'],
    [["--constructor"], "flag provided but not defined: --constructor"],
    [["--bundle"], "flag needs an argument: --bundle"],
    [["-e"], "flag needs an argument: --env"],
    [["--detach=maybe"], 'invalid value "maybe" for --detach: true or false is expected'],
    [["--preserve-fds", "x"], 'invalid value "x" for --preserve-fds: a whole number from 0 on is expected'],
    [["--preserve-fds", "-1"], 'invalid value "-1" for --preserve-fds: a whole number from 0 on is expected'],
    [["-g", "1.5"], 'invalid value "1.5" for --additional-gids: a whole number from 0 on is expected'],
    [["--format", "xml"], 'invalid value "xml" for --format: one of table, json is expected'],
  ];
  test.each(wrong)("%j", (argv, message) => {
    expect(() => parseOptions(table, argv)).toThrow(new UsageError(message));
  });
});
