/** Names of files that are not UTF-8, where they cannot be opened. */
import { expect, test } from "vitest";
import { allCommands } from "../../src/cli/commands.ts";
import { toFileName } from "../../src/cli/file-name.ts";
import { toContexts, toOutput, toSecrets } from "../../src/cli/image-build-options.ts";
import { parserOf } from "../../src/cli/parser.ts";

const NAME = "a\udcff";
const REFUSED = "a name that is not UTF-8 cannot be used here";

const ofImages = allCommands().filter(([, { program }]) => program === "image");

test.each(ofImages.map(([path, entry]) => ({ name: path.join(" "), path, entry })))(
  "$name takes none for an option that is a file or directory",
  async ({ path, entry }) => {
    const { parser, command } = await parserOf(path, entry);
    // Of the container, whose runtime opens it.
    const options = Object.entries(command.options as Record<string, { argument?: string }>).filter(
      ([name, { argument }]) => name !== "workdir" && (argument === "FILE" || argument === "DIR"),
    );
    for (const [name] of options) expect(() => parser.read([`--${name}=${NAME}`]), name).toThrow(REFUSED);
  },
);

test("there are such options", async () => {
  const { command } = await parserOf(
    ["image", "save"],
    ofImages.find(([path]) => path.join(" ") === "image save")?.[1] as never,
  );
  expect((command.options as Record<string, { argument?: string }>)["output"]?.argument).toBe("FILE");
});

test("in a value with parts, and as an argument, it is shown as its bytes", () => {
  for (const act of [
    () => toFileName(NAME),
    () => toOutput(`type=oci,dest=${NAME}`),
    () => toSecrets([`id=x,src=${NAME}`]),
    () => toContexts([`x=${NAME}`]),
  ])
    expect(act).toThrow(/a\\xff": a name that is not UTF-8 cannot be used here/);
  expect(toFileName("ü")).toBe("ü");
});
