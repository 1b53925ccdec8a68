/**
 * Patterns of paths, as Go's `filepath.Match` has them, with `**` as ignore files add it.
 *
 * @balena/dockerignore, which most use, was tried: it takes `(a|b)` for a regular expression, ignores case, and does not match `**.md` below a
 * directory; it has had no release since 2020. Matchers of gitignore or of shells have other rules.
 *
 * @see Go's path/filepath, "Match"; Dockerfile reference, ".dockerignore file"
 */

/** A pattern with its own `*`, `?`, `[…]` and `\`, for one component of a path or for several. */
export interface PathPattern {
  text: string;
  matches(path: string): boolean;
}

/** @throws {Error} for a `[` without its `]`, and for a `\` at the end */
export function compilePattern(text: string): PathPattern {
  if (text === "**") return { text, matches: () => true };
  // Without any other pattern `**x` is all that ends so, at any depth.
  const suffix = text.slice(2);
  if (text.startsWith("**") && !/[*?[\\]/.test(suffix)) {
    const isBelow = (path: string) => suffix.startsWith("/") && path === suffix.slice(1);
    return { text, matches: (path) => path.endsWith(suffix) || isBelow(path) };
  }
  const expression = new RegExp(`^${expressionOf(text)}$`, "su");
  return { text, matches: (path) => expression.test(path) };
}

/** Whether a name is a pattern, or contains one. */
export function hasPattern(text: string): boolean {
  return /[*?[\\]/.test(text);
}

function expressionOf(text: string): string {
  let expression = "";
  for (let at = 0; at < text.length; at++) {
    const unit = text[at] as string;
    if (unit === "*" && text[at + 1] === "*") {
      at++;
      if (text[at + 1] === "/") at++;
      expression += at + 1 >= text.length ? ".*" : "(?:.*/)?";
    } else if (unit === "*") expression += "[^/]*";
    else if (unit === "?") expression += "[^/]";
    else if (unit === "[") {
      const set = setAt(text, at);
      expression += set.expression;
      at = set.end;
    } else if (unit === "\\") {
      const escaped = text[++at];
      if (escaped === undefined) throw new Error(`invalid pattern ${JSON.stringify(text)}: it ends with a "\\"`);
      expression += literal(escaped);
    } else expression += literal(unit);
  }
  return expression;
}

/** A set of characters, `[a-z]` or `[^a-z]`. */
function setAt(text: string, begin: number): { expression: string; end: number } {
  let at = begin + 1;
  let content = "";
  const isNegated = text[at] === "^";
  if (isNegated) at++;
  const one = () => {
    const unit = text[at] === "\\" ? text[++at] : text[at];
    if (unit === undefined) throw new Error(`invalid pattern ${JSON.stringify(text)}: the "[" has no "]"`);
    at++;
    return unit;
  };
  for (let count = 0; text[at] !== "]" || count === 0; count++) {
    if (text[at] === "]") throw new Error(`invalid pattern ${JSON.stringify(text)}: "[]" matches nothing`);
    const low = one();
    if (text[at] !== "-") {
      content += inSet(low);
      continue;
    }
    at++;
    if (text[at] === "]") throw new Error(`invalid pattern ${JSON.stringify(text)}: a range has no end`);
    const high = one();
    if (low > high)
      throw new Error(`invalid pattern ${JSON.stringify(text)}: the range ${low}-${high} has nothing in it`);
    content += `${inSet(low)}-${inSet(high)}`;
  }
  return { expression: isNegated ? `[^/${content}]` : `(?!/)[${content}]`, end: at };
}

function inSet(unit: string): string {
  return unit.replace(/[\\\]^-]/g, "\\$&");
}

function literal(unit: string): string {
  return unit.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** A path without `.`, `..` where something is before it, and superfluous slashes, as Go's `path.Clean` makes it. */
export function cleanPath(path: string): string {
  const isAbsolute = path.startsWith("/");
  const kept: string[] = [];
  for (const component of path.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") kept.push(component);
    else if (kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (!isAbsolute) kept.push("..");
  }
  return isAbsolute ? `/${kept.join("/")}` : kept.join("/") || ".";
}
