/** Ignore files: which paths of a context are left out. The last pattern that matches decides. @see Dockerfile reference, ".dockerignore file" */
import { cleanPath, compilePattern, type PathPattern } from "./pattern.ts";

interface Rule {
  pattern: PathPattern;
  /** `!`: what matches is not left out after all. */
  isException: boolean;
}

export class IgnoreRules {
  private constructor(
    private readonly rules: readonly Rule[],
    /** The patterns, for cache keys. */
    readonly texts: readonly string[],
  ) {}

  static readonly none = new IgnoreRules([], []);

  /** @param file name for messages @throws {Error} for a bad pattern, with file and line */
  static parse(text: string, file: string): IgnoreRules {
    const patterns: string[] = [];
    const rules = text
      .replace(/^\ufeff/, "")
      .split("\n")
      .flatMap((line, index): Rule[] => {
        const pattern = line.trim();
        if (line.startsWith("#") || pattern === "") return [];
        try {
          const rule = ruleOf(pattern);
          if (rule !== null) patterns.push(pattern);
          return rule === null ? [] : [rule];
        } catch (error) {
          throw new Error(`${file}:${index + 1}:1: ${(error as Error).message}`);
        }
      });
    return new IgnoreRules(rules, patterns);
  }

  /** Rules of patterns alone, as `COPY --exclude` has them. @throws {Error} for a bad pattern */
  static of(patterns: readonly string[]): IgnoreRules {
    return new IgnoreRules(
      patterns.flatMap((pattern) => ruleOf(pattern) ?? []),
      patterns,
    );
  }

  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** Whether there are exceptions: a directory that is left out may have something in it that is not. */
  get hasExceptions(): boolean {
    return this.rules.some(({ isException }) => isException);
  }

  /** Whether a path, relative to the root directory, is left out, by itself or with a directory that it is in. */
  excludes(path: string): boolean {
    if (this.rules.length === 0 || path === "" || path === ".") return false;
    const components = path.split("/");
    let isExcluded = false;
    for (const { pattern, isException } of this.rules) {
      if (isException !== isExcluded) continue;
      const matches = components.some((_, index) =>
        pattern.matches(components.slice(0, components.length - index).join("/")),
      );
      if (matches) isExcluded = !isException;
    }
    return isExcluded;
  }
}

function ruleOf(text: string): Rule | null {
  const isException = text.startsWith("!");
  const bare = isException ? text.slice(1).trim() : text;
  if (isException && bare === "") throw new Error('a pattern is missing after the "!"');
  const cleaned = cleanPath(bare);
  const pattern = cleaned.length > 1 ? cleaned.replace(/^\//, "") : cleaned;
  if (pattern === "." || pattern === "/") return null;
  return { pattern: compilePattern(pattern), isException };
}
