/** What is worth saying of an extraction that went on: each kind once, with how often it came. */

export type NoticeKind =
  | "xattr not supported"
  | "capabilities lost"
  | "overlay attribute"
  | "device"
  | "overlay whiteout"
  | "owner"
  | "aufs";

/** Collects notices. */
export class Notices {
  readonly #kinds = new Map<NoticeKind, { first: string; count: number }>();

  /** @param text of the first of its kind, called only then */
  add(kind: NoticeKind, text: () => string): void {
    const known = this.#kinds.get(kind);
    if (known === undefined) this.#kinds.set(kind, { first: text(), count: 1 });
    else known.count++;
  }

  /** A line a kind. */
  lines(): string[] {
    return [...this.#kinds.values()].map(({ first, count }) =>
      count === 1 ? first : `${first} (and ${count - 1} more like it)`,
    );
  }
}
