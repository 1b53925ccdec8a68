/**
 * Proxies that the environment names: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in either case, understood as curl and Go do where they
 * agree, and other tools for images with them.
 */
import type http from "node:http";
import { BlockList, isIP, isIPv6 } from "node:net";
import { HttpProxyAgent } from "http-proxy-agent";
import { HttpsProxyAgent } from "https-proxy-agent";
import { getProxyForUrl } from "proxy-from-env";

/** A proxy on the way to a URL. */
export interface HttpProxy {
  /** `host:port`, without the user and password that its URL may have. */
  host: string;
  agent: http.Agent;
}

const known = new Map<string, HttpProxy>();

/** @returns `null` for none @throws {Error} for a proxy of a kind that is not spoken */
export function proxyFor(url: URL): HttpProxy | null {
  const found = isExcepted(url) ? "" : getProxyForUrl(url.href);
  if (found === "") return null;
  const proxy = parseProxy(withScheme(found));
  const key = `${url.protocol} ${proxy.href}`;
  const agent = known.get(key)?.agent ?? new (url.protocol === "https:" ? HttpsProxyAgent : HttpProxyAgent)(proxy);
  const result = { host: proxy.host, agent };
  known.set(key, result);
  return result;
}

/** A proxy that is written without a scheme speaks HTTP; proxy-from-env gives it that of the request. */
function withScheme(proxy: string): string {
  const bare = proxy.replace(/^[a-z][a-z0-9+.-]*:\/\//, "");
  return variables("https_proxy", "http_proxy", "all_proxy").includes(bare) ? `http://${bare}` : proxy;
}

function parseProxy(text: string): URL {
  // Without the password that may be in it.
  const shown = text.replace(/\/\/[^@/]*@/, "//…@");
  if (!URL.canParse(text)) throw new Error(`the proxy ${JSON.stringify(shown)} is no URL: http://HOST:PORT is right`);
  const url = new URL(text);
  if (url.protocol === "http:" || url.protocol === "https:") return url;
  throw new Error(`the proxy ${shown}: ${url.protocol}// is not spoken: http:// and https:// are`);
}

/** What proxy-from-env does not know of NO_PROXY: a domain stands for those below it, and addresses may be networks. */
function isExcepted({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  return variables("no_proxy")
    .flatMap((value) => value.toLowerCase().split(/[,\s]+/))
    .some((one) =>
      isIP(host) !== 0 ? isInNetwork(host, one) : one !== "" && host.endsWith(`.${one.replace(/^\./, "")}`),
    );
}

function isInNetwork(address: string, network: string): boolean {
  const [base = "", bits = ""] = network.split("/");
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  if (isIP(base) !== isIP(address) || !/^\d{1,3}$/.test(bits) || Number(bits) > (family === "ipv6" ? 128 : 32))
    return false;
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(address, family);
}

/** The values of variables, in either case. */
function variables(...names: readonly string[]): string[] {
  return names.flatMap((name) => [process.env[name] ?? [], process.env[name.toUpperCase()] ?? []].flat());
}
