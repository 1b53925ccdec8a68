/**
 * Requests to one repository at one place: authenticated, redirected, and tried again.
 * @see distribution-spec 1.1
 */
import type { Reference } from "../reference/reference.ts";
import { AccessError, Authorizer } from "./authorizer.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoints.ts";
import { ConnectionError, exchange, type HttpRequest, type HttpResponse, readBody } from "./http.ts";
import { follow } from "./redirect.ts";
import { printable, RegistryError } from "./registry-error.ts";
import { backOff, isPassing, type Patience } from "./retry.ts";
import type { Body } from "./send.ts";
import { Warnings } from "./warnings.ts";

export interface RequestOptions {
  headers?: Record<string, string>;
  body?: Body;
  /** Statuses that are no failure. */
  accept: readonly number[];
  /** What is asked for, in errors: `manifest latest`. */
  what: string;
  /** False: a failure is told at once. */
  retry?: boolean;
  /** It may want another token than the other requests, who are to keep theirs. */
  apart?: boolean;
}

/** The largest error message that is read, in bytes. */
const LARGEST_ERROR = 1 << 16;
/** How often credentials are shown for one request: with the token there was, with one for the challenge, and for a further challenge. */
const MOST_ANSWERS = 2;

export class RepositoryClient {
  readonly #authorizer: Authorizer;
  readonly #warnings: Warnings;
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
    this.#warnings = new Warnings((line) => patience.warns?.(line));
    this.#authorizer = new Authorizer(endpoint, credentials, scopes, patience.stall);
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

  /** Whether nothing is sent in the clear. */
  get isSecure(): boolean {
    return this.endpoint.base.protocol === "https:";
  }

  /**
   * Sends a request until there is an answer.
   * @throws {RegistryError} {@link AccessError} {@link ConnectionError}
   */
  async request(method: HttpRequest["method"], target: string | URL, options: RequestOptions): Promise<HttpResponse> {
    return await this.#persist(options, () => this.#answered(method, target, options));
  }

  /**
   * Reads something small as a whole; what is cut off is read again.
   * @param limit bytes
   * @throws {RegistryError} {@link AccessError} {@link ConnectionError} {@link Error} for more bytes
   */
  async read(
    target: string,
    limit: number,
    { what, headers }: Pick<RequestOptions, "what" | "headers">,
  ): Promise<{ bytes: Uint8Array; headers: HttpResponse["headers"] }> {
    const options: RequestOptions = { what, headers: { ...headers, "accept-encoding": "identity" }, accept: [200] };
    return await this.#persist(options, async () => {
      const response = await this.#answered("GET", target, options);
      const encoding = encodingOf(response);
      if (encoding !== null) {
        response.discard();
        throw new Error(`${response.url.host}: ${what}: ${wasEncoded(encoding)}`);
      }
      return { bytes: await readBody(response, limit, what), headers: response.headers };
    });
  }

  async #persist<T>({ retry }: RequestOptions, act: () => Promise<T>): Promise<T> {
    await this.#greet();
    const retries = retry === false ? 0 : this.patience.retries;
    for (let failures = 1; ; failures++) {
      try {
        return await act();
      } catch (error) {
        if (!isPassing(error) || failures > retries) throw error;
        await backOff(this.patience, failures, error);
      }
    }
  }

  async #answered(method: HttpRequest["method"], target: string | URL, options: RequestOptions): Promise<HttpResponse> {
    const response = await this.#authorized(method, typeof target === "string" ? this.url(target) : target, options);
    if (options.accept.includes(response.status)) return response;
    throw await this.#failure(response, options.what);
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
      this.#warnings.heard(response.headers["warning"], url.host);
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
    const response = await this.request("GET", url, { accept: [200], what: "/v2/" });
    response.discard();
  }

  async #authorized(method: HttpRequest["method"], url: URL, options: RequestOptions): Promise<HttpResponse> {
    const authorizer = options.apart ? this.#authorizer.apart() : this.#authorizer;
    for (let answers = 0; ; answers++) {
      const response = await this.#redirected(method, url, options, await authorizer.header());
      if (response.status !== 401 || response.url.origin !== this.endpoint.base.origin) return response;
      if (answers === MOST_ANSWERS) throw await this.#failure(response, options.what);
      response.discard();
      await authorizer.answer(response);
    }
  }

  /** Follows redirects of what is read. Credentials are for the registry's own origin alone. */
  async #redirected(
    method: HttpRequest["method"],
    first: URL,
    options: RequestOptions,
    authorization: string | undefined,
  ): Promise<HttpResponse> {
    const ask = async (url: URL): Promise<HttpResponse> => {
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
      // Where it sends on to is a store of files, and no registry.
      if (own) this.#warnings.heard(response.headers["warning"], url.host);
      return response;
    };
    return await follow(first, ask, { isSecure: this.isSecure, what: options.what });
  }

  async #failure(response: HttpResponse, what: string): Promise<Error> {
    const { status, url, headers } = response;
    const { registry, repository } = this.repository;
    const { code, message } = await readError(response);
    const said = [code, message].filter((part) => part !== "").join(": ");
    const why = said === "" ? "" : ` (${said})`;
    // Credentials were shown to the registry's own place alone: another's refusal does not ask for any.
    const isElsewhere = url.origin !== this.endpoint.base.origin;
    const where = isElsewhere
      ? ` at ${url.host}, where it was redirected to`
      : this.endpoint.mirror
        ? ` at ${url.host}`
        : "";
    const name = `${registry}${repository === "" ? "" : `/${repository}`}: ${what}`;
    if ((status === 401 || status === 403) && !isElsewhere) {
      // By a password: who wanted a token would have been refused by the token server.
      const isWrong = status === 401 && this.#authorizer.hasShownPassword;
      const reason = isWrong
        ? "user or password is wrong, or has no access"
        : "the repository is missing or wants a login";
      return new AccessError(`${name}${where}: access denied${why}: ${reason}`);
    }
    const told =
      status === 404 && !isElsewhere
        ? `${name}${where}: there is none${why}`
        : `${name}: status ${status}${where}${why}`;
    return new RegistryError(told, status, code, headers["retry-after"]);
  }
}

/** How the bytes of a reply are wrapped; `null`: not at all. */
export function encodingOf({ headers }: HttpResponse): string | null {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  return ["", "identity"].includes(encoding) ? null : encoding;
}

export function wasEncoded(encoding: string): string {
  return `was sent with Content-Encoding ${JSON.stringify(printable(encoding))}, which nobody asked for`;
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
