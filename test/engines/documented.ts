/** The configuration that `docs/engines.md` tells people to write: engines get it from there, so that the text itself is tested. */
import { readFileSync } from "node:fs";

/**
 * A block of the page.
 * @param heading of the section that it is in
 * @param language of the fence
 * @param index which of that section's blocks in that language
 * @throws {Error} when there is none
 */
export function documented(heading: string, language: string, index = 0): string {
  const page = readFileSync("docs/engines.md", "utf8");
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const block = [...section.matchAll(new RegExp(`^\`\`\`${language}\\b.*\\n([\\s\\S]*?)^\`\`\`$`, "gm"))][index]?.[1];
  if (block === undefined) throw new Error(`docs/engines.md, "${heading}": no block ${index + 1} in ${language}`);
  return block;
}

/** The image that the page's commands run, which is not there without a registry. */
const NAMED = /(docker\.io\/library\/)?alpine(:latest)?/g;

/** A command of `docs/engines.md`, with the image that there is, and a name that is nobody else's. */
export function documentedCommand(heading: string): string {
  return documented(heading, "sh").replace(NAMED, "$1busybox$2").replace(" box ", " $id ");
}
