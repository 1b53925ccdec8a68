/** Reads COPY and ADD. */
import { readBoolean } from "./flags.ts";
import { parseHeredoc } from "./heredoc.ts";
import type { Copy, Instruction } from "./instructions.ts";
import type { RawInstruction } from "./lines.ts";
import { locating, type Piece } from "./position.ts";
import { expandWord } from "./shell-words.ts";
import { readArray } from "./values.ts";

/** @throws {DockerfileError} */
export function readCopy({
  raw,
  rest,
  flags,
  escapeToken,
}: {
  raw: RawInstruction;
  rest: Piece;
  flags: ReadonlyMap<string, Piece[]>;
  escapeToken: string;
}): Instruction {
  const { keyword } = raw;
  const words = readArray(rest)?.map((text) => rest.replaced(text)) ?? rest.words();
  // Blanks part its words wherever they are, for BuildKit as well.
  const alone = raw.heredocs.length > 0 ? words.find(({ text }) => /^\d*<<-?$/.test(text)) : undefined;
  if (alone !== undefined)
    alone.fail(`${keyword}: a blank is between "${alone.text}" and the here-document's delimiter: it must go`);
  const destination = words.pop();
  if (destination === undefined || words.length === 0) {
    return rest.fail(`${keyword} needs a source and a destination: ${keyword} SOURCE… DESTINATION is right`);
  }
  const isHeredoc = (word: Piece) =>
    raw.heredocs.length > 0 && locating(word, () => parseHeredoc(word.text, escapeToken)) !== null;
  if (isHeredoc(destination)) destination.fail(`a here-document is a source: the destination is missing after it`);
  const one = (name: string) => flags.get(name)?.[0] ?? null;
  const from = one("from");
  if (from?.text.includes("$"))
    from.fail(
      "--from takes no variables: name a stage FROM what an ARG before the first FROM says, and copy from that",
    );
  if (one("keep-git-dir") !== null)
    (one("keep-git-dir") as Piece).fail("--keep-git-dir: sources in git are not supported");
  const empty = [...words, destination].find(({ text }) => expandsToNothing(text, escapeToken));
  if (empty !== undefined) empty.fail(`${keyword}: an empty path`);
  const copy: Copy = {
    kind: keyword === "ADD" ? "add" : "copy",
    at: raw.at,
    text: `${keyword} ${raw.rest.text}`.replace(/\s+/g, " "),
    from,
    chown: one("chown"),
    chmod: one("chmod"),
    link: readBoolean("link", flags.get("link")?.[0]),
    parents: readBoolean("parents", flags.get("parents")?.[0]),
    exclude: flags.get("exclude") ?? [],
    checksum: one("checksum"),
    unpack: flags.has("unpack") ? readBoolean("unpack", flags.get("unpack")?.[0]) : null,
    sources: words.filter((word) => !isHeredoc(word)),
    heredocs: raw.heredocs,
    destination,
  };
  return copy;
}

/** Whether nothing is between quotes, whatever variables there are. */
function expandsToNothing(text: string, escapeToken: string): boolean {
  try {
    return !text.includes("$") && expandWord(text, { escapeToken, lookup: () => undefined }) === "";
  } catch {
    return false;
  }
}
