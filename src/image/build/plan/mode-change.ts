/** `--chmod`: octal digits, or words as chmod(1) has them. */

/** New permissions from those that were. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const WHO: Readonly<Record<string, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 };
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };
/** Whose permissions are copied, as in `g=u`: where they stand. */
const SHIFT: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

/** @throws {Error} */
export function parseModeChange(text: string): ModeChange {
  const mode = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : null;
  if (mode !== null && mode <= 0o7777) return () => mode;
  const changes = text.split(",").flatMap((part) => {
    const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(part);
    if (match === null)
      throw new Error(`--chmod=${text}: octal digits such as 0644, or words such as u=rwX,go=rX are right`);
    const [, who = "", actions = ""] = match;
    const people =
      who === "" || who.includes("a") ? 0o7777 : [...who].reduce((mask, one) => mask | (WHO[one] as number), 0);
    return [...actions.matchAll(/([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g)].map(([, operator, bits = ""]) =>
      changeOf(operator as string, bits, people),
    );
  });
  return (before, isDirectory) => changes.reduce((now, change) => change(now, isDirectory), before);
}

function changeOf(operator: string, bits: string, people: number): ModeChange {
  return (mode, isDirectory) => {
    const isExecutable = isDirectory || (mode & 0o111) !== 0;
    const bit = (name: string): number => {
      if (name === "X") return isExecutable ? 0o111 : 0;
      const shift = SHIFT[name];
      return shift === undefined ? (BITS[name] as number) : ((mode >> shift) & 0o7) * 0o111;
    };
    const wanted = [...bits].reduce((mask, name) => mask | bit(name), 0) & people;
    if (operator === "+") return mode | wanted;
    return operator === "-" ? mode & ~wanted : (mode & ~(people & 0o777)) | wanted;
  };
}
