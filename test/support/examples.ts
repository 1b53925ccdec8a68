/**
 * The examples of the documents. Their shell blocks are marked in the fence: `sh run` for one that `test/integration/docs.test.ts` runs,
 * `sh terminal` for one that it runs on a terminal, `sh run="FILE"` where another test does, or `sh skip="why not"`.
 */
import { readdirSync, readFileSync } from "node:fs";

/** All that people read. */
export const PAGES: readonly string[] = [
  "README.md",
  "conformance/README.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort(),
];

export interface Example {
  page: string;
  line: number;
  /** What is in the fence after `sh`. */
  mark: string;
  text: string;
  /** What the page says that it writes, in a block after it; `null` where it does not say. */
  output: string | null;
}

export function examples(): Example[] {
  return PAGES.flatMap((page) => {
    const content = readFileSync(page, "utf8");
    return [...content.matchAll(/^```sh(.*)\n([\s\S]*?)^```$(?:\n\n```output\n([\s\S]*?)^```$)?/gm)].map(
      ({ 1: mark = "", 2: text = "", 3: output = null, index }) => ({
        page,
        line: content.slice(0, index).split("\n").length,
        mark: mark.trim(),
        text,
        output,
      }),
    );
  });
}

/** A program of a document: what is in the fence `ts run`, and what it prints, which is in the fence after it. */
export interface ProgramExample {
  line: number;
  /** What it needs, of `ts run="…"`; `null` for nothing. */
  needs: string | null;
  text: string;
  output: string;
}

export function programExamples(page: string): ProgramExample[] {
  const content = readFileSync(page, "utf8");
  const fences = /^```ts run(?:="(.*)")?\n([\s\S]*?)^```\n+```text\n([\s\S]*?)^```$/gm;
  return [...content.matchAll(fences)].map(({ 1: needs = null, 2: text = "", 3: output = "", index }) => ({
    line: content.slice(0, index).split("\n").length,
    needs,
    text,
    output,
  }));
}
