/**
 * The examples of the documents that tell how to begin. Their shell blocks are marked in the fence: `sh run` for one that a test runs, or
 * `sh skip="why not"`.
 */
import { readFileSync } from "node:fs";

const PAGES = ["README.md", "docs/install.md", "docs/usage.md"];

export interface Example {
  page: string;
  line: number;
  mark: string;
  text: string;
}

export function examples(): Example[] {
  return PAGES.flatMap((page) => {
    const content = readFileSync(page, "utf8");
    return [...content.matchAll(/^```sh(.*)\n([\s\S]*?)^```$/gm)].map(({ 1: mark = "", 2: text = "", index }) => ({
      page,
      line: content.slice(0, index).split("\n").length,
      mark: mark.trim(),
      text,
    }));
  });
}
