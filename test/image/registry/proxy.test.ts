/** Which proxy the environment names for a registry. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { proxyFor } from "../../../src/image/registry/proxy.ts";

const NAMES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((name) => [name, name.toUpperCase()]);

function hostFor(url: string, env: Record<string, string>): string | null {
  for (const name of NAMES) vi.stubEnv(name, env[name]);
  return proxyFor(new URL(url))?.host ?? null;
}

afterEach(() => void vi.unstubAllEnvs());

describe("the proxy", () => {
  test.each<[url: string, env: Record<string, string>, host: string | null]>([
    ["https://r.example", {}, null],
    ["https://r.example", { HTTPS_PROXY: "http://p:3128" }, "p:3128"],
    ["https://r.example", { https_proxy: "http://p:3128" }, "p:3128"],
    ["https://r.example", { HTTP_PROXY: "http://p:3128" }, null],
    ["http://r.example", { HTTP_PROXY: "http://p:3128", HTTPS_PROXY: "http://q:1" }, "p:3128"],
    ["http://r.example", { all_proxy: "http://p:3128" }, "p:3128"],
    // Without a scheme it speaks HTTP, whatever is asked for through it.
    ["https://r.example", { HTTPS_PROXY: "p:3128" }, "p:3128"],
    ["https://r.example", { HTTPS_PROXY: "" }, null],
  ])("for %s in %o", (url, env, host) => expect(hostFor(url, env)).toBe(host));

  test("is spoken to by HTTP where its URL has no scheme", () => {
    for (const name of NAMES) vi.stubEnv(name, undefined);
    vi.stubEnv("HTTPS_PROXY", "me:pw@p:3128");
    const { host, agent } = proxyFor(new URL("https://r.example")) as { host: string; agent: unknown };
    expect(host).toBe("p:3128");
    expect((agent as { proxy: URL }).proxy.protocol).toBe("http:");
  });

  test.each([
    ["r.example", "r.example"],
    ["r.example", ".example"],
    ["r.example", "*.example"],
    ["r.example", "a, EXAMPLE ,b"],
    ["r.example:5000", "r.example:5000"],
    ["r.example", "*"],
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3:5000", "10.0.0.0/8"],
    ["[fd00::7]", "fd00::/8"],
    ["localhost:5000", "localhost,127.0.0.1"],
  ])("is left aside for %s where NO_PROXY is %j", (host, exception) => {
    const env = { HTTPS_PROXY: "http://p:3128" };
    expect(hostFor(`https://${host}`, { ...env, NO_PROXY: exception })).toBeNull();
    expect(hostFor(`https://${host}`, { ...env, no_proxy: exception })).toBeNull();
  });

  test.each([
    ["r.example", "other.example"],
    ["badexample", "example"],
    ["r.example:5000", "r.example:5001"],
    ["10.1.2.3", "10.1.0.0/24"],
    ["10.1.2.3", "10.0.0.0/99"],
    ["r.example", "10.0.0.0/8"],
    ["r.example", ""],
  ])("is used for %s where NO_PROXY is %j", (host, exception) => {
    expect(hostFor(`https://${host}`, { HTTPS_PROXY: "http://p:3128", NO_PROXY: exception })).toBe("p:3128");
  });

  test.each([
    ["socks5://me:secret@p:1080", "the proxy socks5://…@p:1080: socks5:// is not spoken: http:// and https:// are"],
    ["http://[", 'the proxy "http://[" is no URL: http://HOST:PORT is right'],
  ])("%s is refused", (proxy, message) =>
    expect(() => hostFor("https://r.example", { HTTPS_PROXY: proxy })).toThrow(message),
  );
});
