/** Addresses that a server sends its clients on to. */
import type { HttpResponse } from "./http.ts";
import { printable, RegistryError } from "./registry-error.ts";

export const MOST_REDIRECTS = 10;

/** Whether a reply sends on to elsewhere. */
export function isRedirect(status: number, location: string | undefined): location is string {
  return [301, 302, 303, 307, 308].includes(status) && location !== undefined;
}

/**
 * The address that a `Location` means. Whoever is spoken to by TLS sends nobody on to a place without.
 * @param what is asked for, and what happens to it: `manifest latest: redirected`
 * @throws {RegistryError}
 */
export function locationFrom(from: URL, location: string, isSecure: boolean, what: string): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (next !== null && (next.protocol === "https:" || (next.protocol === "http:" && !isSecure))) return next;
  throw new RegistryError(`${from.host}: ${what} to ${printable(location)}, which is no https`, 310);
}

/**
 * Asks at an address, and goes where redirects lead.
 * @param isSecure whether none may lead to plain HTTP
 * @param what is asked for, for errors
 * @throws {RegistryError} for one that leads nowhere, and for too many
 */
export async function follow(
  first: URL,
  ask: (url: URL) => Promise<HttpResponse>,
  { isSecure, what }: { isSecure: boolean; what: string },
): Promise<HttpResponse> {
  let url = first;
  for (let count = 0; count <= MOST_REDIRECTS; count++) {
    const response = await ask(url);
    const { location } = response.headers;
    if (!isRedirect(response.status, location)) return response;
    response.discard();
    url = locationFrom(url, location, isSecure, `${what}: redirected`);
  }
  throw new RegistryError(`${first.host}: ${what}: redirected more than ${MOST_REDIRECTS} times`, 310);
}

/**
 * An address with a parameter more. What it has is the server's, signed by it perhaps: it stays as it came, byte for byte.
 * @see distribution-spec, "POST then PUT"
 */
export function withParameter(url: URL, name: string, value: string): URL {
  const next = new URL(url);
  const own = `${name}=${encodeURIComponent(value)}`;
  next.search = next.search === "" ? own : `${next.search}&${own}`;
  return next;
}
