/** What the options of `image build` become. */
import { statSync } from "node:fs";
import type { Output, SecretSource } from "../image/build/options.ts";
import type { NamedContext, NamedContexts } from "../image/build/plan/graph.ts";
import { toFileName } from "./file-name.ts";
import { UsageError } from "./usage-error.ts";

/** `NAME=VALUE`; `NAME` alone takes the caller's variable, if there is one. @throws {UsageError} */
export function toBuildArguments(given: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const text of given) {
    const equals = text.indexOf("=");
    const name = equals === -1 ? text : text.slice(0, equals);
    if (name === "") throw new UsageError(`--build-arg ${JSON.stringify(text)}: NAME=VALUE is right`);
    const value = equals === -1 ? process.env[name] : text.slice(equals + 1);
    if (value !== undefined) values.set(name, value);
  }
  return values;
}

/** `id=ID,src=FILE` or `id=ID,env=NAME`; without either the variable, else the file, that is called as the id. @throws {UsageError} */
export function toSecrets(given: readonly string[]): Map<string, SecretSource> {
  return new Map(given.map(toSecret));
}

/** A secret that is not there is told before the build, not by the step that needs it: that may come from the cache. */
function toSecret(text: string): [string, SecretSource] {
  const [id, source] = parseSecret(text);
  const of = `--secret ${JSON.stringify(text)}`;
  if (source.kind === "env" && process.env[source.name] === undefined)
    throw new UsageError(`${of}: the variable ${source.name} is not set`);
  if (source.kind === "file") {
    const found = statSync(toFileName(source.path), { throwIfNoEntry: false });
    if (found === undefined) throw new UsageError(`${of}: there is no file ${source.path}`);
    if (found.isDirectory()) throw new UsageError(`${of}: ${source.path} is a directory: a file is right`);
  }
  return [id, source];
}

function parseSecret(text: string): [string, SecretSource] {
  const wrong = (why: string) =>
    new UsageError(`--secret ${JSON.stringify(text)}: ${why}: id=ID[,src=FILE|,env=NAME] is right`);
  const fields = new Map<string, string>();
  for (const field of text.split(",")) {
    const equals = field.indexOf("=");
    const name = { source: "src" }[field.slice(0, equals)] ?? field.slice(0, equals);
    if (equals < 1 || !["id", "src", "env", "type"].includes(name))
      throw wrong(`${JSON.stringify(field)} is not known`);
    fields.set(name, field.slice(equals + 1));
  }
  const [id, path, name, type] = [fields.get("id"), fields.get("src"), fields.get("env"), fields.get("type")];
  if (id === undefined || id === "") throw wrong("there is no id");
  if (path !== undefined && name !== undefined) throw wrong("a file and a variable cannot both be");
  if (type !== undefined && type !== "file" && type !== "env")
    throw wrong(`the type ${JSON.stringify(type)} is not known`);
  if (name !== undefined) return [id, { kind: "env", name }];
  if (path !== undefined) return [id, type === "env" ? { kind: "env", name: path } : { kind: "file", path }];
  const isVariable = type === "env" || (type === undefined && process.env[id] !== undefined);
  return [id, isVariable ? { kind: "env", name: id } : { kind: "file", path: id }];
}

/** `ID[=SOCKET]`, without a socket that of the caller's agent. @throws {UsageError} */
export function toAgents(given: readonly string[]): Map<string, string> {
  return new Map(
    given.map((text): [string, string] => {
      const equals = text.indexOf("=");
      const [id, path] =
        equals === -1 ? [text, process.env["SSH_AUTH_SOCK"]] : [text.slice(0, equals), text.slice(equals + 1)];
      if (id === "") throw new UsageError(`--ssh ${JSON.stringify(text)}: ID[=SOCKET] is right`);
      if (path === undefined || path === "")
        throw new UsageError(`--ssh ${text}: there is no SSH_AUTH_SOCK: ${id}=SOCKET names that of an agent`);
      if (statSync(toFileName(path), { throwIfNoEntry: false })?.isSocket() !== true)
        throw new UsageError(`--ssh ${text}: ${path} is no socket: that of an agent is right (keys are not read)`);
      return [id, path];
    }),
  );
}

/** `NAME=DIRECTORY` or `NAME=docker-image://REFERENCE`. @throws {UsageError} */
export function toContexts(given: readonly string[]): NamedContexts {
  return new Map(
    given.map((text): [string, NamedContext] => {
      const equals = text.indexOf("=");
      const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
      const scheme = /^([a-z][a-z0-9+.-]*):\/\//.exec(value)?.[1];
      if (equals < 1 || value === "" || (scheme !== undefined && scheme !== "docker-image"))
        throw new UsageError(`--build-context ${text}: NAME=DIRECTORY or NAME=docker-image://REFERENCE is right`);
      if (scheme !== undefined)
        return [name.toLowerCase(), { kind: "image", name: value.slice("docker-image://".length) }];
      return [name.toLowerCase(), { kind: "directory", path: toFileName(value) }];
    }),
  );
}

/**
 * `--output`: a directory, `-` for a tar archive on stdout, or `type=…,dest=…`.
 * @throws {UsageError}
 */
export function toOutput(text: string): Output {
  toFileName(text);
  if (!text.includes("=")) return text === "-" ? { kind: "tar", path: "-" } : { kind: "directory", path: text };
  const fields = new Map(
    text.split(",").map((field) => [field.split("=", 1)[0] as string, field.slice(field.indexOf("=") + 1)]),
  );
  const wrong = (why: string) =>
    new UsageError(`--output ${JSON.stringify(text)}: ${why}: type=local|tar|oci|docker,dest=PATH is right`);
  const unknown = [...fields.keys()].find((name) => name !== "type" && name !== "dest");
  if (unknown !== undefined) throw wrong(`${JSON.stringify(unknown)} is not known`);
  const path = fields.get("dest");
  const type = fields.get("type");
  if (type === "local" && path !== undefined && path !== "-") return { kind: "directory", path };
  if (type === "local") throw wrong("a directory needs a path");
  if (type === "tar") return { kind: "tar", path: path ?? "-" };
  if (type === "oci" || type === "docker") return { kind: "archive", format: `${type}-archive`, path: path ?? "-" };
  throw wrong(type === undefined ? "no type" : `the type ${JSON.stringify(type)} is not known`);
}

/** SOURCE_DATE_EPOCH, in seconds. @throws {UsageError} @see reproducible-builds.org */
export function toEpoch(text: string | undefined): number | null {
  if (text === undefined || text === "") return null;
  if (!/^\d{1,11}$/.test(text)) throw new UsageError(`SOURCE_DATE_EPOCH=${text}: seconds since 1970 are right`);
  return Number(text);
}
