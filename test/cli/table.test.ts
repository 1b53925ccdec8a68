import { expect, test } from "vitest";
import { alignColumns } from "../../src/cli/table.ts";

test("a cell is one, whatever is in it, and steers no terminal", () => {
  const rows = [
    ["CREATED BY", "COMMENT"],
    ["RUN \x1b]0;title\x07 größe", "two\nlines\x7f"],
  ];
  expect(alignColumns(rows)).toBe(
    "CREATED BY                   COMMENT\nRUN \\x1b]0;title\\x07 größe   two\\x0alines\\x7f\n",
  );
});
