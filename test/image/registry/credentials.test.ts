/** Credentials as Docker and Podman keep them. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { eraseCredentials, findCredentials, storeCredentials } from "../../../src/image/registry/credentials.ts";
import { Scratch } from "../support.ts";

const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
const path = process.env["PATH"];

afterEach(() => {
  process.env["PATH"] = path;
});

async function find(file: unknown, registry: string, repository = "a/b"): Promise<unknown> {
  using scratch = new Scratch();
  writeFileSync(scratch.at("auth.json"), typeof file === "string" ? file : JSON.stringify(file));
  const found = await findCredentials(registry, repository, scratch.at("auth.json"));
  return found?.kind === "password" ? `${found.user}:${found.password}` : found;
}

test.each([
  [{ "https://index.docker.io/v1/": auth("hub:1") }, "docker.io", "hub:1"],
  [{ "docker.io": auth("hub:1") }, "docker.io", "hub:1"],
  [{ "index.docker.io": auth("hub:1") }, "docker.io", "hub:1"],
  [{ "quay.io": auth("q:p:w") }, "quay.io", "q:p:w"],
  [{ "https://quay.io": auth("q:p") }, "quay.io", "q:p"],
  [{ "https://quay.io/v2/": auth("q:p") }, "quay.io", "q:p"],
  [
    {
      "quay.io": auth("all:1"),
      "quay.io/a": auth("ns:1"),
      "quay.io/a/b": auth("repo:1"),
      "quay.io/a/bc": auth("no:1"),
    },
    "quay.io",
    "repo:1",
  ],
  [{ "quay.io/a/bc": auth("no:1"), "quay.io/a": auth("ns:1") }, "quay.io", "ns:1"],
  [{ "quay.io.evil.example": auth("no:1") }, "quay.io", undefined],
  [{ "localhost:5000": auth("l:1"), localhost: auth("no:1") }, "localhost:5000", "l:1"],
  [{ "quay.io": { identitytoken: "abc", ...auth("u:p") } }, "quay.io", { kind: "identity", token: "abc" }],
  [{ "quay.io": { username: "u", password: "p" } }, "quay.io", "u:p"],
  [{ "quay.io": { ...auth("u:p"), identitytoken: null, username: null } }, "quay.io", "u:p"],
])("%j for %s: %j", async (auths, registry, expected) => {
  expect(await find({ auths }, registry)).toEqual(expected ?? null);
});

test.each([
  ["{", "is no file of credentials"],
  ["[]", "must be an object"],
  ['{"auths":[]}', "/auths: must be an object"],
  ['{"auths":{"quay.io":{"auth":1}}}', "/auths/quay.io/auth: must be a string"],
  ['{"auths":{"quay.io":{"auth":"bm9jb2xvbg=="}}}', "must be user:password in base64"],
])("%s is an error, and not nobody", async (file, message) => {
  await expect(find(file, "quay.io")).rejects.toThrow(message);
});

test("a helper for the registry comes before what is written, and that before the store of all", async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.at("bin"));
  for (const name of ["one", "all"]) {
    writeFileSync(
      scratch.at(`bin/docker-credential-${name}`),
      `#!/bin/sh\nread host\ncase "$host" in *missing*) echo "credentials not found in native keychain"; exit 1;; esac\necho '{"Username":"${name}","Secret":"s"}'\n`,
    );
    chmodSync(scratch.at(`bin/docker-credential-${name}`), 0o755);
  }
  process.env["PATH"] = `${scratch.at("bin")}:${path}`;
  const file = {
    credsStore: "all",
    credHelpers: { "quay.io": "one", "missing.io": "one" },
    auths: { "quay.io": auth("no:1"), "ghcr.io": auth("written:1"), "empty.io": {} },
  };
  expect(await find(file, "quay.io")).toBe("one:s");
  expect(await find(file, "ghcr.io")).toBe("written:1");
  expect(await find(file, "empty.io")).toBe("all:s");
  expect(await find(file, "missing.io")).toBeNull();
  await expect(find({ credsStore: "absent" }, "quay.io")).rejects.toThrow(
    "docker-credential-absent: there is no such program",
  );
  for (const [at, reply] of ["no json", "null", "[]", '{"Username":"u"}'].entries()) {
    writeFileSync(scratch.at(`bin/docker-credential-odd${at}`), `#!/bin/sh\necho '${reply}'\n`, { mode: 0o755 });
    await expect(find({ credsStore: `odd${at}` }, "quay.io")).rejects.toThrow(
      `docker-credential-odd${at}: its reply has no Username and Secret`,
    );
  }
  await expect(find({ credsStore: "../../bin/sh" }, "quay.io")).rejects.toThrow("is no name of a credential helper");
});

test("what is kept is found again, beside what was there, and forgotten", async () => {
  using scratch = new Scratch();
  const file = scratch.at("sub/config.json");
  await storeCredentials(file, "docker.io", "me", "pass:word");
  await storeCredentials(file, "localhost:5000", "l", "p");
  expect(JSON.parse(readFileSync(file, "utf8")).auths).toHaveProperty(["https://index.docker.io/v1/"]);
  expect(await findCredentials("docker.io", "library/a", file)).toEqual({
    kind: "password",
    user: "me",
    password: "pass:word",
  });
  expect(await eraseCredentials(file, "docker.io")).toBe(true);
  expect(await eraseCredentials(file, "docker.io")).toBe(false);
  expect(await findCredentials("docker.io", "library/a", file)).toBeNull();
  expect(await findCredentials("localhost:5000", "a", file)).not.toBeNull();
});

test("the Hub's helper is asked, told and has it forgotten, whatever the Hub is called there", async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.at("bin"));
  const helper = `#!/bin/sh\n{ echo "$1"; cat; echo; } >>${scratch.at("said")}\n[ "$1" = get ] && echo '{"Username":"u","Secret":"s"}'\nexit 0\n`;
  writeFileSync(scratch.at("bin/docker-credential-hub"), helper, { mode: 0o755 });
  process.env["PATH"] = `${scratch.at("bin")}:${path}`;
  for (const key of ["docker.io", "index.docker.io", "https://index.docker.io/v1/"]) {
    const file = scratch.at("config.json");
    writeFileSync(file, JSON.stringify({ credHelpers: { [key]: "hub" } }));
    writeFileSync(scratch.at("said"), "");
    await storeCredentials(file, "docker.io", "me", "secret");
    expect(readFileSync(file, "utf8")).not.toContain('"auth":');
    expect(await findCredentials("docker.io", "library/a", file)).toMatchObject({ user: "u" });
    expect(await eraseCredentials(file, "docker.io")).toBe(true);
    const said = readFileSync(scratch.at("said"), "utf8");
    expect(said.match(/^(get|store|erase)$/gm)).toEqual(["store", "get", "erase"]);
    expect(said).toContain('"Secret":"secret"');
  }
});
