/**
 * Credentials as Docker and Podman keep them, and the programs that they ask for them.
 *
 * Looked at in this order: `$REGISTRY_AUTH_FILE`; `$XDG_RUNTIME_DIR/containers/auth.json` (of root below /run/containers/0);
 * `$XDG_CONFIG_HOME/containers/auth.json`; `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. In each: the helper that
 * `credHelpers` names for the registry, then `auths` by the longest key that fits, then `credsStore`.
 * @see containers-auth.json(5), docker-credential-helpers
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "../../sys/path-names.ts";
import { HUB } from "../reference/reference.ts";
import { replaceFile } from "../store/store.ts";

/** What a registry or its token server is shown. */
export type Credentials = { kind: "password"; user: string; password: string } | { kind: "identity"; token: string };

interface AuthEntry {
  auth?: string | null;
  username?: string | null;
  password?: string | null;
  identitytoken?: string | null;
}

/** What is `null` is as if it were not there: Go reads and writes it so. */
interface AuthFile {
  auths?: Record<string, AuthEntry> | null;
  credHelpers?: Record<string, string> | null;
  credsStore?: string | null;
}

/** The key of the Hub in Docker's file. */
const HUB_KEY = "https://index.docker.io/v1/";
/** Whoever has written the user's name as this has an identity token in the place of the password. */
const TOKEN_USER = "<token>";

/** Which files are read. @param named given by the user: it must be there */
export function authFiles(
  named: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): { path: string; required: boolean }[] {
  if (named !== undefined) return [{ path: named, required: true }];
  if (env["REGISTRY_AUTH_FILE"]) return [{ path: env["REGISTRY_AUTH_FILE"], required: true }];
  const home = env["HOME"] ?? homedir();
  const docker = env["DOCKER_CONFIG"] ?? join(home, ".docker");
  return [
    runtimeAuthFile(env),
    join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "containers/auth.json"),
    join(docker, "config.json"),
  ].map((path) => ({ path, required: false }));
}

function runtimeAuthFile(env: NodeJS.ProcessEnv): string {
  const uid = process.geteuid?.() ?? 0;
  return env["XDG_RUNTIME_DIR"]
    ? join(env["XDG_RUNTIME_DIR"], "containers/auth.json")
    : `/run/containers/${uid}/auth.json`;
}

/** Where `login` writes: the named file, the environment's, or Docker's, which Podman reads, too. */
export function loginFile(named: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  return (
    named ??
    (env["REGISTRY_AUTH_FILE"] ||
      join(env["DOCKER_CONFIG"] ?? join(env["HOME"] ?? homedir(), ".docker"), "config.json"))
  );
}

/**
 * Finds the credentials for a repository.
 * @returns `null` where there are none
 * @throws {Error} for a file that was named and is not there, or one that cannot be read: that is no reason to come as nobody
 */
export async function findCredentials(
  registry: string,
  repository: string,
  named?: string,
): Promise<Credentials | null> {
  for (const { path, required } of authFiles(named)) {
    const file = readAuthFile(path, required);
    const found = file === null ? null : await findIn(file, registry, repository, path);
    if (found !== null) return found;
  }
  return null;
}

function readAuthFile(path: string, required: boolean): AuthFile | null {
  let text: string;
  try {
    if (statSync(path).size > 1 << 20) throw new Error("larger than 1 MiB");
    text = readFileSync(path, "utf8");
  } catch (error) {
    const isMissing = ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
    if (isMissing && !required) return null;
    throw new Error(`${path}: cannot be read for credentials: ${(error as Error).message}`);
  }
  if (text.trim() === "") return {};
  try {
    return checkAuthFile(JSON.parse(text));
  } catch (error) {
    throw new Error(`${path}: is no file of credentials: ${(error as Error).message}`);
  }
}

function checkAuthFile(document: unknown): AuthFile {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(document)) throw new Error("must be an object");
  for (const name of ["auths", "credHelpers"]) {
    const value = document[name];
    if (value !== undefined && value !== null && !isObject(value)) throw new Error(`/${name}: must be an object`);
  }
  for (const [key, value] of Object.entries((document["auths"] ?? {}) as object)) {
    if (!isObject(value)) throw new Error(`/auths/${key}: must be an object`);
    for (const [member, text] of Object.entries(value)) {
      if (["auth", "username", "password", "identitytoken"].includes(member) && typeof (text ?? "") !== "string")
        throw new Error(`/auths/${key}/${member}: must be a string`);
    }
  }
  return document as AuthFile;
}

async function findIn(file: AuthFile, registry: string, repository: string, path: string): Promise<Credentials | null> {
  const helper = helperOf(file, registry);
  if (helper !== null) return await askHelper(helper, helperKeys(registry));
  const entry = longestMatch(file.auths ?? {}, registry, repository);
  const own = entry === null ? null : fromEntry(entry.value, `${path}: /auths/${entry.key}`);
  if (own !== null) return own;
  return file.credsStore ? await askHelper(file.credsStore, helperKeys(registry)) : null;
}

/** The helper that is named for a registry alone. */
function helperOf({ credHelpers }: AuthFile, registry: string): string | null {
  return Object.entries(credHelpers ?? {}).find(([key]) => hostOf(key) === registry)?.[1] || null;
}

/** `https://index.docker.io/v1/` and `docker.io` are one registry; of a URL, the host counts. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, "").split("/")[0] ?? "";
  return ["index.docker.io", "registry-1.docker.io"].includes(host) ? HUB : host;
}

function longestMatch(auths: Record<string, AuthEntry>, registry: string, repository: string) {
  const wanted = `${registry}/${repository}`;
  let best: { key: string; value: AuthEntry; length: number } | null = null;
  for (const [key, value] of Object.entries(auths)) {
    const isUrl = /^https?:\/\//.test(key) || (hostOf(key) === HUB && /\/v[12]\/?$/.test(key));
    const path = isUrl ? hostOf(key) : [hostOf(key), ...key.split("/").slice(1)].join("/").replace(/\/$/, "");
    if ((wanted === path || wanted.startsWith(`${path}/`)) && path.length > (best?.length ?? 0))
      best = { key, value, length: path.length };
  }
  return best;
}

/** An empty entry says that a helper has it. */
function fromEntry(entry: AuthEntry, where: string): Credentials | null {
  if (entry.identitytoken) return { kind: "identity", token: entry.identitytoken };
  if (entry.auth) {
    const text = Buffer.from(entry.auth, "base64").toString("utf8");
    const colon = text.indexOf(":");
    if (colon < 1) throw new Error(`${where}/auth: must be user:password in base64`);
    return { kind: "password", user: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
  }
  if (entry.username) return { kind: "password", user: entry.username, password: entry.password ?? "" };
  return null;
}

function helperKeys(registry: string): string[] {
  return registry === HUB ? [HUB_KEY, HUB] : [registry];
}

async function askHelper(helper: string, keys: readonly string[]): Promise<Credentials | null> {
  for (const key of keys) {
    const reply = await runHelper(helper, "get", key);
    if (reply === null) continue;
    const { Username: user, Secret: secret } = parseReply(reply);
    if (typeof user !== "string" || typeof secret !== "string")
      throw new Error(`docker-credential-${helper}: its reply has no Username and Secret`);
    return user === TOKEN_USER ? { kind: "identity", token: secret } : { kind: "password", user, password: secret };
  }
  return null;
}

function parseReply(text: string): { Username?: unknown; Secret?: unknown } {
  try {
    return Object(JSON.parse(text)) as object;
  } catch {
    return {};
  }
}

/** @returns `null` when the helper has nothing */
function runHelper(helper: string, action: "get" | "store" | "erase", input: string): Promise<string | null> {
  if (!/^[A-Za-z0-9_.-]+$/.test(helper)) throw new Error(`${JSON.stringify(helper)} is no name of a credential helper`);
  const program = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = execFile(program, [action], { timeout: 60_000, maxBuffer: 1 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = `${stdout} ${stderr}`.trim();
      if (/credentials not found/i.test(said)) return resolve(null);
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      reject(
        new Error(
          missing ? `${program}: there is no such program on PATH` : `${program} ${action}: ${said || error.message}`,
        ),
      );
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

function keyOf(registry: string): string {
  return registry === HUB ? HUB_KEY : registry;
}

/** Keeps credentials, in the helper that the file names or in the file itself, which nobody else may read then. */
export async function storeCredentials(path: string, registry: string, user: string, password: string): Promise<void> {
  const file = readAuthFile(path, false) ?? {};
  const helper = helperOf(file, registry) || file.credsStore;
  const key = keyOf(registry);
  if (helper) {
    await runHelper(helper, "store", JSON.stringify({ ServerURL: key, Username: user, Secret: password }));
    file.auths = { ...file.auths, [key]: {} };
  } else {
    file.auths = { ...file.auths, [key]: { auth: Buffer.from(`${user}:${password}`).toString("base64") } };
  }
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, `${JSON.stringify(file, null, "\t")}\n`);
}

/** Forgets credentials. @returns whether there were any */
export async function eraseCredentials(path: string, registry: string): Promise<boolean> {
  const file = readAuthFile(path, false);
  if (file === null) return false;
  const helper = helperOf(file, registry) || file.credsStore;
  if (helper) await runHelper(helper, "erase", keyOf(registry));
  const kept = Object.entries(file.auths ?? {}).filter(
    ([key]) => hostOf(key) !== registry || (key.includes("/") && !/^https?:/.test(key)),
  );
  const had = kept.length < Object.keys(file.auths ?? {}).length;
  if (had) replaceFile(path, `${JSON.stringify({ ...file, auths: Object.fromEntries(kept) }, null, "\t")}\n`);
  return had || Boolean(helper);
}
