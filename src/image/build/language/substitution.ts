/**
 * Variables in words: `$name`, `${name}`, and the modifiers of the latter.
 * @see Dockerfile reference, "Environment replacement"
 */
import type { WordScanner } from "./shell-words.ts";

/**
 * A name: letters of any script, digits and "_"; digits alone, as a shell has them for arguments; or one of the shell's own parameters, which a
 * Dockerfile never has.
 */
const NAME = /\p{Nd}+|[@*#?\-$!]|[\p{L}\p{Nd}_]+/uy;

const MODIFIERS = ":-word, -word, :+, +, :?, ?, #, ##, %, %%, /pattern/replacement and //pattern/replacement";

/** What stands for the variable that the scanner is at; it is passed over. @throws {Error} */
export function substitute(scanner: WordScanner): string {
  scanner.next();
  if (scanner.peek() !== "{") {
    const name = scanner.take(NAME);
    if (name === "") return "$";
    return lookUp(scanner, name) ?? (scanner.options.keepUnset ? `$${name}` : "");
  }
  scanner.next();
  const name = scanner.take(NAME);
  const unit = scanner.next();
  if (name === "" || unit === undefined)
    throw new Error(`a substitution is not closed, or names nothing: $\{name} is right`);
  const value = lookUp(scanner, name);
  switch (unit) {
    case "}":
      return value ?? (scanner.options.keepUnset ? `$\{${name}}` : "");
    case ":": {
      const operator = scanner.next() ?? "";
      if (!"-+?".includes(operator) || operator === "") unsupported(name, `:${operator}`);
      return choose(scanner, name, operator, value === "" ? undefined : value, value);
    }
    case "-":
    case "+":
    case "?":
      return choose(scanner, name, unit, value, value);
    case "#":
    case "%":
      return trimmed(scanner, unit, value ?? "");
    case "/":
      return replaced(scanner, name, value ?? "");
    default:
      return unsupported(name, unit);
  }
}

function unsupported(name: string, modifier: string): never {
  throw new Error(`the modifier ${JSON.stringify(modifier)} of $\{${name}…} is not known: ${MODIFIERS} are`);
}

function lookUp(scanner: WordScanner, name: string): string | undefined {
  return scanner.options.lookup(name);
}

/** @param present the value where it counts as set */
function choose(
  scanner: WordScanner,
  name: string,
  operator: string,
  present: string | undefined,
  value: string | undefined,
): string {
  const { word } = scanner.until("}");
  if (operator === "-") return present ?? word;
  if (operator === "+") return present === undefined ? "" : word;
  if (present !== undefined) return present;
  const reason = word !== "" ? word : value === undefined ? "is not set" : "is empty";
  throw new Error(`${name}: ${reason}`);
}

/** Without what a pattern matches at the beginning (`#`) or end (`%`): the shortest, doubled the longest. */
function trimmed(scanner: WordScanner, operator: "#" | "%", value: string): string {
  const isLongest = scanner.peek() === operator;
  if (isLongest) scanner.next();
  const { word: pattern } = scanner.until("}", true);
  const whole = new RegExp(`^${patternToExpression(pattern, scanner.options.escapeToken)}$`, "su");
  // Between characters, of which some are two units.
  const cuts = [0];
  for (const one of value) cuts.push((cuts.at(-1) as number) + one.length);
  const fromEnd = operator === "%" ? !isLongest : isLongest;
  for (const cut of fromEnd ? cuts.reverse() : cuts) {
    const [head, tail] = [value.slice(0, cut), value.slice(cut)];
    if (operator === "#" && whole.test(head)) return tail;
    if (operator === "%" && whole.test(tail)) return head;
  }
  return value;
}

function replaced(scanner: WordScanner, name: string, value: string): string {
  const isAll = scanner.peek() === "/";
  if (isAll) scanner.next();
  let parts: [string, string];
  try {
    // Escapes stay in both, as in BuildKit: `${path//\//\/}` puts a backslash before each slash.
    parts = [scanner.until("/", true).word, scanner.until("}", true).word];
  } catch {
    throw new Error(`$\{${name}/…} is not complete: $\{${name}/pattern/replacement} is right`);
  }
  const [pattern, replacement] = parts;
  const expression = new RegExp(patternToExpression(pattern, scanner.options.escapeToken), isAll ? "gsu" : "su");
  return value.replace(expression, () => replacement);
}

/** A pattern of the shell as one of JavaScript: `*`, `?`, and what is escaped for itself. */
function patternToExpression(pattern: string, escapeToken: string): string {
  let expression = "";
  for (let index = 0; index < pattern.length; index++) {
    const unit = pattern[index] as string;
    if (unit === "*") expression += ".*";
    else if (unit === "?") expression += ".";
    else if (unit === escapeToken && index + 1 < pattern.length) expression += literal(pattern[++index] as string);
    else expression += literal(unit);
  }
  return expression;
}

function literal(unit: string): string {
  return unit.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
