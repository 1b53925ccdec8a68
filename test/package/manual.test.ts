/** The manual: complete, well-formed, and saying what help says. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { manualPages } from "../../package/manual/pages.ts";
import { code, inline, prose } from "../../package/manual/roff.ts";
import { allCommands } from "../../src/cli/commands.ts";
import { parserOf } from "../../src/cli/parser.ts";

const pages = await manualPages("2026-01-02");
const hasMandoc = spawnSync("mandoc", ["-V"]).error === undefined;
const hasMan = spawnSync("man", ["--version"]).error === undefined;

function pageOf(...path: string[]): string {
  return pages.find(({ name }) => name === ["tsrunc", ...path].join("-"))?.roff ?? "";
}

/** A page as it is read, without typefaces. */
function read(roff: string): string {
  const env = { ...process.env, MANWIDTH: "1000", LC_ALL: "C.UTF-8", MANROFFOPT: "-c" };
  const { status, stdout, stderr } = spawnSync("man", ["-l", "-"], { input: roff, encoding: "utf8", env });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: typefaces come as overstrikes, a letter, a backspace and the letter.
  return stdout.replace(/.\x08/gu, "").replace(/\s+/g, " ");
}

describe("roff", () => {
  test("takes a request for text, and keeps what is typed", () => {
    expect(inline(".TH is no request")).toBe("\\&.TH is no request");
    expect(inline("'tis")).toBe("\\&'tis");
    expect(inline("a\\b --no-pivot ~/x")).toBe("a\\eb \\-\\-no\\-pivot \\(ti/x");
  });

  test("sets code in bold", () => {
    expect(code("see `tsrunc help`.")).toEqual(["see ", { bold: "tsrunc help" }, "."]);
  });

  test("parts paragraphs, and leaves indented lines alone", () => {
    expect(prose("one\ntwo\n\nthree")).toBe("one\ntwo\n.PP\nthree\n");
    expect(prose("so:\n  a b\n  c\nand on")).toBe("so:\n.nf\n  a b\n.fi\n.nf\n  c\n.fi\nand on\n");
  });
});

test("has a page for the program, each group and each command, and none for what is internal", () => {
  const names = pages.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(
    expect.arrayContaining(["tsrunc", "tsrunc-image", ...allCommands().map(([path]) => ["tsrunc", ...path].join("-"))]),
  );
  expect(names.filter((name) => /compile/.test(name))).toEqual([]);
});

test("refers to no page that there is not", () => {
  const names = new Set(pages.map(({ name }) => name));
  const references = pages.flatMap(({ roff }) =>
    [...roff.replaceAll("\\-", "-").matchAll(/\\fB(tsrunc[a-z-]*)\\fR\(1\)/g)].map(([, name = ""]) => name),
  );
  expect(references.length).toBeGreaterThan(pages.length);
  expect(references.filter((name) => !names.has(name))).toEqual([]);
});

test.skipIf(!hasMandoc)(`mandoc finds nothing wrong (${hasMandoc ? "" : "needs mandoc"})`, () => {
  const complaints = pages.flatMap(({ name, roff }) => {
    const { stdout } = spawnSync("mandoc", ["-T", "lint", "-W", "warning"], { input: roff, encoding: "utf8" });
    return stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `${name}: ${line}`);
  });
  expect(complaints).toEqual([]);
});

test.skipIf(!hasMan)(
  `every option of every command is read as help has it (${hasMan ? "" : "needs man"})`,
  async () => {
    for (const [path, entry] of allCommands()) {
      const { parser } = await parserOf(path, entry);
      const text = read(pageOf(...path));
      for (const option of parser.createHelp().visibleOptions(parser)) {
        const value = option.required ? ` ${/<(.*)>$/.exec(option.flags)?.[1]}` : "";
        const names = [option.short, option.long].filter((one) => one !== undefined).join(", ");
        const description = option.description.replaceAll("`", "").replace(/\s+/g, " ");
        expect(text, path.join(" ")).toContain(`${names}${value} ${description}`);
      }
      for (const line of parser.examples) expect(text, path.join(" ")).toContain(line);
    }
  },
  120_000,
);
