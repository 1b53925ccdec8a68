/** What a registry asks for before it gives anything: `WWW-Authenticate`. @see RFC 9110, section 11.6.1 */

/** One of the ways in. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  scheme: string;
  /** By name in lower case; values as they stand, scopes with spaces in them included. */
  parameters: Readonly<Record<string, string>>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";

/** Reads a header; what cannot be read ends it. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const parameter = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))\\s*(?:,|$)`, "y");
  // Some have no parameters, and some a token in their place, which means nothing to anybody here.
  const scheme = new RegExp(`[\\s,]*(${TOKEN})(?:\\s+[A-Za-z0-9._~+/-]+=*\\s*(?:,|$)|\\s+|(?=,)|$)`, "y");
  for (let at = 0; at < header.length; ) {
    scheme.lastIndex = at;
    const found = scheme.exec(header);
    if (found === null) break;
    at = scheme.lastIndex;
    const parameters: Record<string, string> = Object.create(null);
    for (;;) {
      parameter.lastIndex = at;
      const pair = parameter.exec(header);
      if (pair === null) break;
      parameters[(pair[1] as string).toLowerCase()] ??= pair[2]?.replace(/\\(.)/g, "$1") ?? pair[3] ?? "";
      at = parameter.lastIndex;
    }
    challenges.push({ scheme: (found[1] as string).toLowerCase(), parameters });
  }
  return challenges;
}
