/**
 * Gets in: what a registry challenges with becomes an `Authorization` header.
 *
 * A token is renewed when it has run out, or when a registry refuses it, however long it claimed to last.
 * @see distribution's docs/spec/auth/token.md and oauth.md
 */
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";
import { exchange, type HttpResponse, readBody } from "./http.ts";
import { follow, withParameter } from "./redirect.ts";
import { printable, RegistryError } from "./registry-error.ts";
import { isPassing } from "./retry.ts";

/** The largest reply of a token server, in bytes. */
const LARGEST_TOKEN = 1 << 20;
/** How long a token lasts that does not say, in seconds. */
const DEFAULT_LIFETIME = 60;
/** A token that is about to end is not used any more, in milliseconds. */
const MARGIN = 5_000;

/** A registry wants credentials, or others. */
export class AccessError extends Error {
  override readonly name = "AccessError";
}

interface Token {
  header: string;
  /** Milliseconds since 1970. */
  until: number;
}

/** For one place and one repository. */
export class Authorizer {
  #token: Token | null = null;
  /** The challenge that the token was for. */
  #challenge: Challenge | null = null;

  constructor(
    readonly endpoint: Endpoint,
    readonly credentials: Credentials | null,
    /** `repository:library/alpine:pull`; asked for where a challenge does not name one. */
    readonly scopes: readonly string[],
    /** Milliseconds without a byte after which a connection has failed. */
    readonly stall: number,
  ) {}

  /** Whether the registry itself was shown a user and a password. */
  get hasShownPassword(): boolean {
    return this.#challenge?.scheme === "basic" && this.#token !== null;
  }

  /** The header, if one is known that is good still. */
  async header(): Promise<string | undefined> {
    if (this.#token !== null && this.#challenge !== null && this.#token.until - MARGIN < Date.now())
      await this.#renew(this.#challenge);
    return this.#token?.header;
  }

  /**
   * Answers a refusal.
   * @throws {AccessError} when there is no answer
   */
  async answer(response: HttpResponse): Promise<void> {
    const challenges = parseChallenges(response.headers["www-authenticate"] ?? "");
    const known =
      challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
    if (known === undefined) {
      throw new AccessError(
        `${response.url.host}: wants authentication, by none of the ways that are known (Bearer, Basic)`,
      );
    }
    await this.#renew(known);
  }

  /** For a request beside the others: it begins with the token there is, and what it is given these do not get. */
  apart(): Authorizer {
    const other = new Authorizer(this.endpoint, this.credentials, this.scopes, this.stall);
    other.#token = this.#token;
    other.#challenge = this.#challenge;
    return other;
  }

  /** A challenge is known once there is a token for it: another, which nothing came of, must not be what the next renewal asks by. */
  async #renew(challenge: Challenge): Promise<void> {
    const token = challenge.scheme === "basic" ? this.#basic() : await this.#bearer(challenge.parameters);
    this.#token = token;
    this.#challenge = challenge;
  }

  #basic(): Token {
    const { host } = this.endpoint.base;
    if (this.credentials === null)
      throw new AccessError(`${host}: wants a user and a password: use "tsrunc image login ${host}" or --creds`);
    if (this.credentials.kind === "identity")
      throw new AccessError(`${host}: wants a user and a password, and there is an identity token only`);
    return { header: basicHeader(this.credentials), until: Number.POSITIVE_INFINITY };
  }

  async #bearer(parameters: Challenge["parameters"]): Promise<Token> {
    const realm = realmOf(parameters["realm"], this.endpoint);
    // A scope goes on as it came, even if it is several.
    const scopes = parameters["scope"] === undefined ? this.scopes : [parameters["scope"]];
    try {
      return await this.#fetch(realm, parameters["service"], scopes);
    } catch (error) {
      // Some token servers know one scope at a time: then there is none for mounting.
      if (!(error instanceof AccessError) || scopes.length < 2) throw error;
      return await this.#fetch(realm, parameters["service"], scopes.slice(0, 1));
    }
  }

  async #fetch(realm: URL, service: string | undefined, scopes: readonly string[]): Promise<Token> {
    const query = new URLSearchParams(service === undefined ? {} : { service });
    for (const scope of scopes) query.append("scope", scope);
    const { credentials } = this;
    if (credentials?.kind === "identity") return await this.#post(realm, query, credentials.token);
    if (credentials !== null) query.append("account", credentials.user);
    const url = [...query].reduce((address, [name, value]) => withParameter(address, name, value), realm);
    return await this.#ask(url, credentials === null ? {} : { authorization: basicHeader(credentials) });
  }

  /** An identity token is good for POST only. @see oauth.md */
  async #post(realm: URL, query: URLSearchParams, token: string): Promise<Token> {
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: token, client_id: "tsrunc" });
    for (const [name, value] of query) form.append(name, value);
    return await this.#ask(
      realm,
      { "content-type": "application/x-www-form-urlencoded" },
      new TextEncoder().encode(form.toString()),
    );
  }

  /** Once: the request that wants the token is tried again as a whole. Credentials are for the realm's own origin alone. */
  async #ask(realm: URL, headers: Record<string, string>, form?: Uint8Array): Promise<Token> {
    const { authorization: _, ...others } = headers;
    const ask = (url: URL): Promise<HttpResponse> =>
      exchange({
        method: form === undefined ? "GET" : "POST",
        url,
        headers: url.origin === realm.origin ? headers : others,
        ...(form === undefined ? {} : { body: { size: form.byteLength, stream: () => [form] } }),
        tls: this.endpoint.tls,
        patience: this.stall,
      });
    const following = { isSecure: realm.protocol === "https:", what: "the token server" };
    // A form holds the identity token itself: it goes where the registry said, and nowhere else.
    const response = form === undefined ? await follow(realm, ask, following) : await ask(realm);
    return await readToken(response, this.credentials !== null);
  }
}

/** A password is not sent in the clear because a registry says so. */
function realmOf(realm: string | undefined, { base }: Endpoint): URL {
  if (realm === undefined || !URL.canParse(realm))
    throw new AccessError(`${base.host}: names no server to get a token from (its challenge has no realm)`);
  const url = new URL(realm);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && base.protocol === "http:")) {
    throw new AccessError(`${base.host}: wants the token to be got from ${printable(realm)}, which is no https`);
  }
  return url;
}

async function readToken(response: HttpResponse, hasCredentials: boolean): Promise<Token> {
  const { host } = response.url;
  if (response.status !== 200) {
    response.discard();
    const told = `${host}: the token server replied with status ${response.status}`;
    const passing = new RegistryError(told, response.status, "", response.headers["retry-after"]);
    if (isPassing(passing)) throw passing;
    if (response.status !== 401 && response.status !== 403) throw new AccessError(told);
    throw new AccessError(
      `${host}: ${hasCredentials ? "user or password is wrong, or has no access" : 'no access without a user: use "tsrunc image login" or --creds'}`,
    );
  }
  const text = new TextDecoder().decode(await readBody(response, LARGEST_TOKEN, "the reply of the token server"));
  const reply = parseReply(text);
  const token = [reply["token"], reply["access_token"]].find((one) => typeof one === "string" && one !== "");
  if (typeof token !== "string" || /[^\x21-\x7e]/.test(token))
    throw new AccessError(`${host}: the reply of the token server has no token`);
  const lifetime = Number(reply["expires_in"] ?? DEFAULT_LIFETIME);
  return { header: `Bearer ${token}`, until: Date.now() + 1000 * (lifetime > 0 ? lifetime : DEFAULT_LIFETIME) };
}

function parseReply(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function basicHeader({ user, password }: Extract<Credentials, { kind: "password" }>): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
