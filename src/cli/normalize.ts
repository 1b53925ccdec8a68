/**
 * The grammar of Go's flag packages, which engines write, and of getopt_long, which people and crun's callers write, made
 * into the one form that commander reads alike: `--name=value`.
 *
 * `-name`, `--name`, `--name value`, `-name=value`, `--switch=false`, `-n value`, `-nvalue`, `-ab`.
 */

/** What there is to know of an option; `Option` of commander has it. */
export interface Flag {
  /** `-n` */
  short?: string | undefined;
  /** `--name` */
  long?: string | undefined;
  /** Whether the next argument is its value, where none is attached. */
  required: boolean;
  /** Whether it is spelled without a value. */
  bare?: boolean;
}

/**
 * Rewrites arguments. What is not understood stays as it is, for commander to name; so does everything behind `--`.
 * @param stopAtFirst whether everything from the first argument on that is not an option belongs to another program
 * @example `normalize(options, ["-td", "-e", "A=1", "web"])` is `["--tty=true", "--detach=true", "--env=A=1", "web"]`
 */
export function normalize(flags: readonly Flag[], argv: readonly string[], stopAtFirst: boolean): string[] {
  const queue = [...argv];
  const normal: string[] = [];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === "--" || (stopAtFirst && isOperand(arg))) return [...normal, arg, ...queue];
    normal.push(...(isOperand(arg) ? [arg] : rewrite(flags, arg, queue)));
  }
  return normal;
}

function isOperand(arg: string): boolean {
  return !arg.startsWith("-") || arg === "-";
}

/** One option, or several in a cluster such as `-td`. @param queue what follows, of which a value is taken */
function rewrite(flags: readonly Flag[], arg: string, queue: string[]): string[] {
  const [, dashes = "", name = "", attached] = /^(--?)([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
  const exact = find(flags, name);
  if (exact !== undefined) return [spell(exact, attached, queue)];
  const cluster = dashes === "-" ? rewriteCluster(flags, arg.slice(1), queue) : null;
  if (cluster !== null) return cluster;
  // With two dashes commander finds a similar option.
  return [name.length > 1 ? `--${name}` : arg];
}

function rewriteCluster(flags: readonly Flag[], letters: string, queue: string[]): string[] | null {
  const found: [flag: Flag, attached: string | undefined][] = [];
  for (let index = 0; index < letters.length; index++) {
    const flag = find(flags, letters.charAt(index));
    if (flag === undefined) return null;
    found.push([flag, flag.required ? letters.slice(index + 1) || undefined : undefined]);
    if (flag.required) break;
  }
  return found.map(([flag, attached]) => spell(flag, attached, queue));
}

function find(flags: readonly Flag[], name: string): Flag | undefined {
  return flags.find(({ long }) => long === `--${name}`) ?? flags.find(({ short }) => short === `-${name}`);
}

function spell({ long, required, bare }: Flag, attached: string | undefined, queue: string[]): string {
  if (bare) return `${long}`;
  const value = attached ?? (required ? queue.shift() : "true");
  // Without a value, which commander will miss.
  return value === undefined ? `${long}` : `${long}=${value}`;
}
