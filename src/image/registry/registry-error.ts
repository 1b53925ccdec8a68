/** What a registry, or who answers for it, refuses. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";

  constructor(
    message: string,
    readonly status: number,
    /** Such as `MANIFEST_UNKNOWN`; empty where it gave none. */
    readonly code = "",
    /** `Retry-After`, as it came. */
    readonly retryAfter: string | undefined = undefined,
  ) {
    super(message);
  }
}

const LONGEST = 200;

/** A stranger's text for a line on a terminal. */
export function printable(text: unknown, longest = LONGEST): string {
  if (typeof text !== "string") return "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]+/g, " ").slice(0, longest);
}
