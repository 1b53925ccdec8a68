/** containerd's hosts.toml: which places are asked, and whom they trust. */
import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Endpoint } from "../../../src/image/registry/endpoints.ts";
import { readHosts } from "../../../src/image/registry/hosts-file.ts";
import { Scratch } from "../support.ts";

const REGISTRY: Endpoint = { base: new URL("https://registry.invalid"), tls: { verify: true }, mirror: false };

/** Reads a file beside which lie others, each of which contains its own name. */
function read(text: string, registry = REGISTRY): Endpoint[] {
  using scratch = new Scratch();
  for (const name of ["ca", "other", "cert", "key", "both"]) writeFileSync(scratch.at(name), name);
  writeFileSync(scratch.at("hosts.toml"), text);
  return readHosts(scratch.at("hosts.toml"), registry);
}

/** @returns `null` when the file is read */
function refusal(text: string): string | null {
  try {
    read(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

test("mirrors come in the order of the file, and the registry last", () => {
  const places = read(`
    server = "https://upstream.invalid"
    [host."https://b.invalid"]
    [host."a.invalid:5000"]
    [host."https://push.invalid"]
    capabilities = ["push"]
  `);
  expect(places.map(({ base, mirror }) => [base.href, mirror])).toEqual([
    ["https://b.invalid/", true],
    ["https://a.invalid:5000/", true],
    ["https://upstream.invalid/", false],
  ]);
});

test("without a server the registry itself is asked", () => {
  expect(read("")).toEqual([REGISTRY]);
});

test("each place trusts its own authorities, and those of the directory", () => {
  const places = read(
    `
    ca = "other"
    [host."https://a.invalid"]
    ca = ["ca", "other"]
    [host."https://b.invalid"]
    skip_verify = true
    `,
    { ...REGISTRY, tls: { verify: true, ca: ["directory"] } },
  );
  expect(places.map(({ tls }) => tls)).toEqual([
    { verify: true, ca: ["directory", "ca", "other"] },
    { verify: false, ca: ["directory"] },
    { verify: true, ca: ["directory", "other"] },
  ]);
});

test.each([
  ["a file with both", '"both"', { cert: "both", key: "both" }],
  ["a list with such a file", '["both"]', { cert: "both", key: "both" }],
  ["a pair", '[["cert", "key"]]', { cert: "cert", key: "key" }],
  ["the first of pairs", '[["cert", "key"], ["both", "both"]]', { cert: "cert", key: "key" }],
])("a client's certificate is %s", (_, value, expected) => {
  const [mirror, own] = read(`client = "both"\n[host."https://a.invalid"]\nclient = ${value}\n`) as [
    Endpoint,
    Endpoint,
  ];
  expect(mirror.tls).toEqual({ verify: true, ...expected });
  expect(own.tls).toEqual({ verify: true, cert: "both", key: "both" });
});

test("what is said of the registry as a host of its own holds for it", () => {
  const places = read('[host."https://registry.invalid"]\nskip_verify = true\nca = "ca"\n');
  expect(places).toEqual([{ ...REGISTRY, tls: { verify: false, ca: ["ca"] }, wholePath: false }]);
});

test("override_path: the path is whole as it stands", () => {
  const [mirror] = read('[host."https://a.invalid/images"]\noverride_path = true\n') as [Endpoint];
  expect([mirror.base.pathname, mirror.wholePath]).toEqual(["/images", true]);
});

test.each([
  ["server = 5", "server: must be a URL of http or https"],
  ['[host."ftp://a.invalid"]', 'host "ftp://a.invalid": must be a URL of http or https'],
  ['host = "a"', "host: must be a table"],
  ['[host]\n"https://a.invalid" = 1', 'host "https://a.invalid": must be a table'],
  ['[host."https://a.invalid"]\ncapabilities = "pull"', "capabilities: must be an array"],
  ['[host."https://a.invalid"]\nskip_verify = "yes"', "skip_verify: must be true or false"],
  ['[host."https://a.invalid"]\nca = [1]', "ca: must be the path of a file"],
  ['[host."https://a.invalid"]\nclient = [["cert", 1]]', "client: must be the path of a file"],
  ["ca = 'nowhere'", "nowhere"],
  ["= 1", "hosts.toml: "],
])("%j is refused: %s", (text, message) => {
  const found = refusal(text);
  expect(found).toContain(message);
  expect(found).toMatch(/hosts\.toml: [^\n]*$/);
});
