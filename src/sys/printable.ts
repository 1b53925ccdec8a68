/**
 * A line for a person. It may hold what a container, a bundle, an archive or a registry says: nothing of that shall steer the terminal, nor look like
 * a line of its own.
 */
export function printable(line: string): string {
  return line.replace(/[^\P{Cc}\t]/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
