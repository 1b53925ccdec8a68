/** One HTTP exchange: no redirects, no authentication, no second try. Those are for who calls. */
import { existsSync, readFileSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import tls from "node:tls";
import { atPace, PaceError } from "./pace.ts";
import { type HttpProxy, proxyFor } from "./proxy.ts";
import { type Body, sendBody } from "./send.ts";

/** Whom to trust and how to identify; PEM texts. */
export interface TlsOptions {
  /** Authorities beside the system's. */
  ca?: readonly string[];
  cert?: string;
  key?: string;
  /** False: any certificate will do. */
  verify: boolean;
}

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: URL;
  headers?: Readonly<Record<string, string>>;
  body?: Body;
  tls: TlsOptions;
  /** Milliseconds without the whole head of the reply, or with next to nothing of either body, after which the exchange has failed. */
  patience: number;
}

/** A reply whose body has not been read yet. Read it or `discard` it: until then its connection is taken. */
export interface HttpResponse {
  url: URL;
  status: number;
  headers: Readonly<Record<string, string | undefined>>;
  body: AsyncIterable<Uint8Array>;
  discard(): void;
}

/** The exchange failed on the way: nothing that the other side said. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";

  constructor(
    url: URL,
    readonly reason: string,
    /** Whether another try might go better. */
    readonly mayPass = true,
  ) {
    super(`${url.host}: ${reason}`);
  }
}

/** Where distributions keep the authorities that the machine trusts: Debian, Fedora, Alpine and SUSE. */
const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
  "/etc/ssl/ca-bundle.pem",
];

let trusted: readonly string[] | undefined;

/** Those that the machine trusts, or the environment names; where there are none, the engine's own. */
function systemAuthorities(): readonly string[] {
  const path = process.env["SSL_CERT_FILE"] ?? SYSTEM_AUTHORITIES.find((one) => existsSync(one));
  trusted ??= path === undefined ? tls.rootCertificates : [readFileSync(path, "utf8")];
  return trusted;
}

/**
 * Sends a request.
 * @throws {ConnectionError} also while the body is read: when it ends too early, and when nothing comes for too long
 */
export function exchange({
  method,
  url,
  headers = {},
  body,
  tls: trust,
  patience,
}: HttpRequest): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    // What the engine says when a connection is given up does not name the reason.
    let reason: Error | null = null;
    const proxy = proxyFor(url);
    const translate = (error: unknown) => connectionError(url, reason ?? error, proxy);
    const { request } = url.protocol === "https:" ? https : http;
    const outgoing = request(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-length": String(body.size) }) },
      agent: proxy?.agent,
      ...(url.protocol === "https:" ? tlsOptions(trust) : {}),
    });
    const giveUp = (error: Error) => {
      reason = error;
      outgoing.destroy(error);
    };
    const tooLate = () => giveUp(new PaceError(0, patience));
    // Bytes of a head alone are no answer.
    let untilHead: ReturnType<typeof setTimeout> | undefined;
    let isAnswered = false;
    const awaitHead = () => {
      if (!isAnswered && !outgoing.destroyed) untilHead = setTimeout(tooLate, patience);
    };
    outgoing.on("close", () => clearTimeout(untilHead));
    outgoing.on("error", (error) => reject(translate(error)));
    const refused = (status: number) => {
      // What a proxy says is nothing that the registry said.
      const why = `the proxy ${proxy?.host} answered ${status}${status === 407 ? ": it wants a user and a password, or others" : ""}`;
      giveUp(new ConnectionError(url, why, status >= 500));
    };
    outgoing.on("proxyConnect", (reply?: { statusCode?: number }) => {
      // Of a proxy that is asked for each request, and not for a connection, the event tells nothing.
      if (reply?.statusCode !== undefined && reply.statusCode !== 200) refused(reply.statusCode);
    });
    outgoing.on("response", (response) => {
      isAnswered = true;
      clearTimeout(untilHead);
      if (response.statusCode === 407) refused(407);
      else resolve(responseOf(url, response, patience, translate));
    });
    if (body === undefined) {
      outgoing.setTimeout(patience, tooLate);
      outgoing.end();
      awaitHead();
    } else {
      sendBody(outgoing, body, patience, giveUp).then(awaitHead, (error: Error) => {
        // Where what is sent cannot be read, it is not the connection that fails.
        reject(error);
        outgoing.destroy();
      });
    }
  });
}

function responseOf(
  url: URL,
  response: IncomingMessage,
  patience: number,
  translate: (error: unknown) => Error,
): HttpResponse {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(response.headers))
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  const discard = () => {
    response.on("error", () => {});
    response.destroy();
  };
  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      yield* atPace(response, patience);
    } catch (error) {
      if (error instanceof PaceError) discard();
      throw translate(error);
    }
    if (!response.complete) throw new ConnectionError(url, "the connection was closed half-way");
  }
  return { url, status: response.statusCode ?? 0, headers, body: read(), discard };
}

function tlsOptions({ ca, cert, key, verify }: TlsOptions): https.RequestOptions {
  return {
    rejectUnauthorized: verify,
    ca: [...systemAuthorities(), ...(ca ?? [])],
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function connectionError(url: URL, error: unknown, proxy: HttpProxy | null): Error {
  if (error instanceof ConnectionError) return error;
  if (!(error instanceof Error)) return new ConnectionError(url, String(error));
  const { code = "", syscall } = error as NodeJS.ErrnoException;
  // An alert is what the other side says: of the certificate that it was shown, or not shown.
  if (/ALERT_(BAD_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)/i.test(`${code} ${error.message}`)) {
    const what = "wants a certificate of its client, one that it knows";
    return new ConnectionError(url, `${what} (NAME.cert and NAME.key belong to certs.d, see docs/image.md)`, false);
  }
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code);
  if (certificate) {
    return new ConnectionError(
      url,
      `its certificate is not trusted: ${error.message} (an authority of its own belongs to certs.d, see docs/image.md)`,
      false,
    );
  }
  if (/WRONG_VERSION_NUMBER|wrong version number/.test(error.message)) {
    return new ConnectionError(url, "does not speak TLS (--plain-http does without it)", false);
  }
  if (/^Parse Error/.test(error.message)) {
    return new ConnectionError(
      url,
      `what it answers is no HTTP (${error.message}): is it a registry, and does it do without TLS?`,
      false,
    );
  }
  if (code === "ENOTFOUND" && proxy === null)
    return new ConnectionError(
      url,
      `there is no host of this name, or no network to ask for it (${error.message})`,
      false,
    );
  // By the engine's words for the two: a server that begins TLS and one that does without it.
  if (error.message === "Socket is closed" || error.message === "socket hang up") {
    const hint = url.protocol === "https:" ? ": does it speak TLS? (--plain-http does without it)" : "";
    return new ConnectionError(url, `closed the connection${hint}`);
  }
  if (error.message === "aborted") return new ConnectionError(url, "the connection was closed half-way");
  const isProxys = proxy !== null && (syscall === "connect" || syscall === "getaddrinfo");
  return new ConnectionError(url, isProxys ? `the proxy ${proxy.host}: ${error.message}` : error.message);
}

/** Reads a whole body of limited size. @throws {Error} for a larger one */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > limit) {
      response.discard();
      throw new Error(`${response.url.host}: ${what} has more than the ${limit} bytes that are read`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
