/**
 * Requests to one repository at one place: authenticated, redirected, and tried again.
 * @see distribution-spec 1.1
 */
import type { Reference } from "../reference/reference.ts";
import { AccessError, Authorizer } from "./authorizer.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";
import { type Body, ConnectionError, exchange, type HttpRequest, type HttpResponse, readBody } from "./http.ts";
import { backOff, isPassing, mayPass, type Patience } from "./retry.ts";

/** A registry's refusal. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";

  constructor(
    message: string,
    readonly status: number,
    /** Such as `MANIFEST_UNKNOWN`; empty where it gave none. */
    readonly code: string,
  ) {
    super(message);
  }
}

export interface RequestOptions {
  headers?: Record<string, string>;
  body?: Body;
  /** Statuses that are no failure. */
  accept: readonly number[];
  /** What is asked for, in errors: `manifest latest`. */
  what: string;
  /** False: a failure is told at once. */
  retry?: boolean;
}

const MOST_REDIRECTS = 10;
/** The largest error message that is read, in bytes. */
const LARGEST_ERROR = 1 << 16;
/** How often credentials are shown for one request: with the token there was, with one for the challenge, and for a further challenge. */
const MOST_ANSWERS = 2;

export class RepositoryClient {
  readonly #authorizer: Authorizer;
  #greeted = false;

  constructor(
    readonly endpoint: Endpoint,
    readonly repository: Pick<Reference, "registry" | "repository">,
    credentials: Credentials | null,
    readonly patience: Patience,
    /** `null` when nothing but logging in is wanted. */
    actions: "pull" | "pull,push" | null,
    /** Repositories to mount blobs from. */
    sources: readonly string[] = [],
  ) {
    const scopes = [
      `repository:${repository.repository}:${actions}`,
      ...sources.map((name) => `repository:${name}:pull`),
    ];
    this.#authorizer = new Authorizer(endpoint, credentials, scopes, patience);
  }

  /** Where the protocol begins: `/v2`. */
  get #root(): string {
    const { base, wholePath } = this.endpoint;
    const path = base.pathname.replace(/\/$/, "");
    return wholePath || path.endsWith("/v2") ? path : `${path}/v2`;
  }

  /** An address below the repository: `manifests/latest`. A mirror is told whose image is meant, as containerd does. */
  url(path: string): URL {
    const url = new URL(`${this.#root}/${this.repository.repository}/${path}`, this.endpoint.base);
    if (this.endpoint.mirror) url.searchParams.set("ns", this.repository.registry);
    return url;
  }

  /**
   * Sends a request until there is an answer.
   * @throws {RegistryError} {@link AccessError} {@link ConnectionError}
   */
  async request(method: HttpRequest["method"], target: string | URL, options: RequestOptions): Promise<HttpResponse> {
    await this.#greet();
    const retries = options.retry === false ? 0 : this.patience.retries;
    for (let failures = 1; ; failures++) {
      try {
        const response = await this.#authorized(
          method,
          typeof target === "string" ? this.url(target) : target,
          options,
        );
        if (options.accept.includes(response.status)) return response;
        if (!mayPass(response.status) || failures > retries) throw await this.#failure(response, options.what);
        response.discard();
        await backOff(this.patience, failures, response);
      } catch (error) {
        if (!isPassing(error) || failures > retries) throw error;
        await backOff(this.patience, failures);
      }
    }
  }

  /** Some registries say only at their front door that they want credentials. */
  async #greet(): Promise<void> {
    if (this.#greeted) return;
    this.#greeted = true;
    const url = new URL(`${this.#root}/`, this.endpoint.base);
    try {
      const { patience, endpoint } = this;
      const response = await exchange({ method: "GET", url, tls: endpoint.tls, patience: patience.stall });
      response.discard();
      if (response.status === 401) await this.#authorizer.answer(response);
    } catch (error) {
      // What is wrong in general is wrong with the request, too, which says it and tries again.
      if (error instanceof AccessError) throw error;
      // Where nobody listens at all, waiting for somebody to begin is no use: a port is wrong more often than a registry starts.
      if (error instanceof ConnectionError && error.reason.includes("ECONNREFUSED")) throw error;
    }
  }

  /** Checks credentials. @throws {AccessError} */
  async checkAccess(): Promise<void> {
    const url = new URL(`${this.#root}/`, this.endpoint.base);
    const response = await this.#authorized("GET", url, { accept: [200], what: "/v2/" });
    if (response.status !== 200) throw await this.#failure(response, "/v2/");
    response.discard();
  }

  async #authorized(method: HttpRequest["method"], url: URL, options: RequestOptions): Promise<HttpResponse> {
    for (let answers = 0; ; answers++) {
      const response = await this.#redirected(method, url, options, await this.#authorizer.header());
      if (response.status !== 401 || response.url.origin !== this.endpoint.base.origin) return response;
      if (answers === MOST_ANSWERS) throw await this.#failure(response, options.what);
      response.discard();
      await this.#authorizer.answer(response);
    }
  }

  /** Follows redirects of what is read. Credentials are for the registry's own origin alone. */
  async #redirected(
    method: HttpRequest["method"],
    first: URL,
    options: RequestOptions,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    let url = first;
    for (let count = 0; count <= MOST_REDIRECTS; count++) {
      const own = url.origin === this.endpoint.base.origin;
      const response = await exchange({
        method,
        url,
        headers: {
          "user-agent": "tsrunc",
          ...options.headers,
          ...(own && authorization !== undefined ? { authorization } : {}),
        },
        ...(options.body === undefined ? {} : { body: options.body }),
        tls: own ? this.endpoint.tls : { verify: this.endpoint.tls.verify },
        patience: this.patience.stall,
      });
      const { location } = response.headers;
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
      response.discard();
      url = this.#follow(url, location, options.what);
    }
    throw new RegistryError(`${first.host}: ${options.what}: redirected more than ${MOST_REDIRECTS} times`, 310, "");
  }

  #follow(from: URL, location: string, what: string): URL {
    const next = URL.canParse(location, from.href) ? new URL(location, from) : null;
    const secure = this.endpoint.base.protocol === "https:";
    if (next === null || !/^https?:$/.test(next.protocol) || (secure && next.protocol !== "https:")) {
      throw new RegistryError(
        `${from.host}: ${what}: redirected to ${printable(location)}, which is no https`,
        310,
        "",
      );
    }
    return next;
  }

  async #failure(response: HttpResponse, what: string): Promise<Error> {
    const { registry, repository } = this.repository;
    const name = `${registry}/${repository}`;
    const { code, message } = await readError(response);
    const said = [code, message].filter((part) => part !== "").join(": ");
    const where = this.endpoint.mirror ? ` at ${response.url.host}` : "";
    if (response.status === 401 || response.status === 403) {
      return new AccessError(
        `${name}: ${what}${where}: access denied${said === "" ? "" : ` (${said})`}: the repository is missing or wants a login`,
      );
    }
    if (response.status === 404)
      return new RegistryError(`${name}: ${what}${where}: there is none${said === "" ? "" : ` (${said})`}`, 404, code);
    return new RegistryError(
      `${name}: ${what}${where}: status ${response.status}${said === "" ? "" : ` (${said})`}`,
      response.status,
      code,
    );
  }
}

/** The first of the errors that a registry told. @see distribution-spec, "Error Codes" */
async function readError(response: HttpResponse): Promise<{ code: string; message: string }> {
  try {
    const text = new TextDecoder().decode(await readBody(response, LARGEST_ERROR, "the error message"));
    const { errors } = JSON.parse(text) as { errors?: { code?: unknown; message?: unknown }[] };
    const { code, message } = errors?.[0] ?? {};
    return { code: printable(code), message: printable(message) };
  } catch {
    return { code: "", message: "" };
  }
}

const LONGEST = 200;

/** A stranger's text for a line on a terminal. */
export function printable(text: unknown): string {
  if (typeof text !== "string") return "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]+/g, " ").slice(0, LONGEST);
}
