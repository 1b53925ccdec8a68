/** Arguments in every form that callers write them, as commander gets to read them. */
import { describe, expect, test } from "vitest";
import { choice, count, counts, list, optionalToggle, text, toggle } from "../../src/cli/option.ts";
import { Parser } from "../../src/cli/parser.ts";
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

const parserFor = (stopAtFirst: boolean) =>
  new Parser("run", "", { synopsis: "[args...]", description: "", examples: [], options: table, stopAtFirst });
const [plain, stopping] = [parserFor(false), parserFor(true)];

function read(argv: readonly string[], parser = plain) {
  const parsed = parser.read(argv);
  if (parsed === null) throw new Error("help was printed");
  return parsed;
}

const initial = {
  detach: false,
  tty: false,
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
    expect(read(argv)).toMatchObject({ options: { ...initial, ...changed }, args });
  });
});

test("with stopAtFirst the first argument ends the options, and what follows is kept as it is", () => {
  const { options, args } = read(["-d", "id", "cmd", "-t", "--", "--env"], stopping);
  expect(options.detach).toBe(true);
  expect(options.tty).toBe(false);
  expect(args).toEqual(["id", "cmd", "-t", "--", "--env"]);
});

test("which options were given is told apart from their defaults", () => {
  expect(read(["-f", "table", "--tty=false"]).given).toEqual(new Set(["format", "tty"]));
});

test("a table's defaults are not changed by reading", () => {
  read(["-e", "A=1"]);
  expect(read([]).options.env).toEqual([]);
});

describe("what cannot be understood is named, with what is similar", () => {
  const wrong: [argv: string[], message: string][] = [
    [["--nope"], "unknown option '--nope'"],
    [["--bundel", "/b"], "unknown option '--bundel' (Did you mean --bundle?)"],
    [["--bundel=/b"], "unknown option '--bundel' (Did you mean --bundle?)"],
    [["-preserve-fd=1"], "unknown option '--preserve-fd' (Did you mean --preserve-fds?)"],
    [["-x"], "unknown option '-x'"],
    [["-dx"], "unknown option '--dx'"],
    [["--d=1x"], "option '-d, --detach [true|false]' argument '1x' is invalid. true or false is expected."],
    [["--constructor"], "unknown option '--constructor'"],
    [["--bundle"], "flag needs an argument: -b, --bundle <DIR>"],
    [["-e"], "flag needs an argument: -e, --env <NAME=VALUE>"],
    [["--detach=maybe"], "option '-d, --detach [true|false]' argument 'maybe' is invalid. true or false is expected."],
    [
      ["--preserve-fds", "x"],
      "option '--preserve-fds <N>' argument 'x' is invalid. A whole number from 0 on is expected.",
    ],
    [
      ["--preserve-fds", "-1"],
      "option '--preserve-fds <N>' argument '-1' is invalid. A whole number from 0 on is expected.",
    ],
    [
      ["-g", "1.5"],
      "option '-g, --additional-gids <GID>' argument '1.5' is invalid. A whole number from 0 on is expected.",
    ],
    [
      ["--format", "xml"],
      "option '-f, --format <table|json>' argument 'xml' is invalid. Allowed choices are table, json.",
    ],
  ];
  test.each(wrong)("%j", (argv, message) => {
    expect(() => read(argv)).toThrow(new UsageError(`Incorrect Usage: ${message} (see "tsrunc help run")`));
  });
});

describe("the number of arguments", () => {
  const parser = new Parser("kill", "", {
    synopsis: "<container-id> [signal]",
    description: "",
    examples: [],
    options: {},
  });
  test.each([
    [[], "missing required argument 'container-id'"],
    [["a", "9", "b"], "too many arguments. Expected 2 arguments but got 3."],
  ])("%j", (argv, message) => {
    expect(() => parser.read(argv)).toThrow(message);
  });
});

test("what was read before is forgotten", () => {
  read(["--tty", "-e", "A=1", "web"]);
  expect(read([])).toEqual({ options: initial, given: new Set(), args: [] });
  expect(() => read(["--nope"])).toThrow();
  expect(read(["-d"]).options.tty).toBe(false);
});
