/** The `--mount` flags of RUN, read and expanded. @see Dockerfile reference, "RUN --mount" */
import { closest } from "../language/closest.ts";
import type { MountFlag, Stage } from "../language/instructions.ts";
import type { Piece } from "../language/position.ts";
import { cleanPath } from "../paths/pattern.ts";
import { findSource, type Graph } from "./graph.ts";
import type { Scope } from "./scope.ts";
import type { RunMount } from "./steps.ts";

/** Whether it may be written to: BuildKit takes that for all, though a secret never may. */
const ACCESS = ["rw", "readwrite", "ro", "readonly"] as const;

const PLACE = ["target", "dst", "destination"] as const;
const OWNER = ["mode", "uid", "gid"] as const;

const OPTIONS = {
  bind: ["type", ...PLACE, "source", "src", "from", ...ACCESS],
  cache: ["type", "id", ...PLACE, ...ACCESS, "sharing", "from", "source", "src", ...OWNER],
  tmpfs: ["type", ...PLACE, ...ACCESS, "size"],
  ssh: ["type", "id", ...PLACE, ...ACCESS, "required", ...OWNER],
  secret: ["type", "id", ...PLACE, ...ACCESS, "required", ...OWNER, "env", "source", "src"],
} as const;

type MountType = keyof typeof OPTIONS;

/** @param agents how many agents' sockets the command has already @throws {DockerfileError} */
export function planMount(
  { at, options }: MountFlag,
  { stage, dockerfile: { stages }, contexts }: { stage: Stage } & Pick<Graph, "dockerfile" | "contexts">,
  scope: Scope,
  { cwd, agents }: { cwd: string; agents: number },
): RunMount {
  const given = options.findLast(({ name }) => name === "type");
  const type = (given === undefined ? "bind" : scope.expand(given.value).toLowerCase()) as MountType;
  if (!Object.hasOwn(OPTIONS, type))
    return (given?.value ?? at).fail(
      `the mount type ${JSON.stringify(type)} is not known: ${Object.keys(OPTIONS).join(", ")} are`,
    );
  const known: readonly string[] = OPTIONS[type];
  const values = new Map<string, Piece>();
  for (const { name, value } of options) {
    if (!known.includes(name)) {
      const similar = closest(name, known);
      value.fail(
        `a ${type} mount has no option ${JSON.stringify(name)}: ${similar === null ? `it has ${known.join(", ")}` : `did you mean ${similar}?`}`,
      );
    }
    values.set(SYNONYMS[name] ?? name, value);
  }
  const text = (name: string): string | null => {
    const piece = values.get(name);
    if (piece === undefined) return null;
    if (name === "from" && piece.text.includes("$"))
      return piece.fail("from= takes no variables: name a stage FROM what an ARG says");
    return scope.expand(piece);
  };
  const number = (name: string, base: 8 | 10, initial: number): number => {
    const value = text(name);
    if (value === null) return initial;
    if (!(base === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/).test(value))
      return (values.get(name) as Piece).fail(
        `${name}=${value}: ${base === 8 ? "an octal number such as 0755" : "a number"} is right`,
      );
    return Number.parseInt(value, base);
  };
  const truth = (name: string): boolean | null => {
    const value = text(name);
    if (value === null) return null;
    if (/^(|true|1)$/i.test(value)) return true;
    return /^(false|0)$/i.test(value)
      ? false
      : (values.get(name) as Piece).fail(`${name}=${value}: true or false is right`);
  };
  const from = text("from");
  const source = from === null ? null : findSource(from, stage.index, stages, contexts);
  const target = text("target");
  const absolute = (path: string) => cleanPath(path.startsWith("/") ? path : `${cwd}/${path}`);
  const isReadOnly = truth("readonly") ?? (values.has("readwrite") ? truth("readwrite") === false : null);
  const place = {
    at: at.at(),
    target: target === null ? "" : absolute(target),
    readOnly: isReadOnly ?? type === "bind",
  };
  if (type !== "secret" && type !== "ssh" && (target === null || target === ""))
    return at.fail(`a ${type} mount needs a target: target=PATH is right`);
  if (place.target === "/") return at.fail("a mount cannot be on /");
  switch (type) {
    case "bind":
      return { ...place, type, from: source ?? { kind: "context" }, source: text("source") ?? "/" };
    case "cache": {
      const sharing = text("sharing")?.toLowerCase() ?? "shared";
      if (sharing !== "shared" && sharing !== "private" && sharing !== "locked")
        return (values.get("sharing") as Piece).fail(`sharing=${sharing}: shared, private or locked is right`);
      const ids = { mode: number("mode", 8, 0o755), uid: number("uid", 10, 0), gid: number("gid", 10, 0) };
      return {
        ...place,
        type,
        id: text("id") ?? place.target,
        sharing,
        from: source,
        source: text("source") ?? "/",
        ...ids,
      };
    }
    case "tmpfs":
      return {
        ...place,
        type,
        size: values.has("size") ? sizeOf(text("size") as string, values.get("size") as Piece) : null,
      };
    case "ssh": {
      const ids = { mode: number("mode", 8, 0o600), uid: number("uid", 10, 0), gid: number("gid", 10, 0) };
      const socket = target === null ? `/run/buildkit/ssh_agent.${agents}` : place.target;
      return {
        ...place,
        target: socket,
        type,
        id: text("id") ?? "default",
        required: truth("required") ?? false,
        ...ids,
      };
    }
    case "secret": {
      const id = text("id") ?? text("source") ?? (target === null ? null : (target.split("/").at(-1) as string));
      if (id === null || id === "") return at.fail("a secret mount needs an id or a target: id=NAME is right");
      const env = text("env");
      return {
        ...place,
        target: target === null ? `/run/secrets/${id}` : place.target,
        readOnly: true,
        type,
        id,
        env,
        isFile: env === null || target !== null,
        required: truth("required") ?? false,
        mode: number("mode", 8, 0o400),
        uid: number("uid", 10, 0),
        gid: number("gid", 10, 0),
      };
    }
  }
}

const SYNONYMS: Readonly<Record<string, string>> = {
  dst: "target",
  destination: "target",
  src: "source",
  ro: "readonly",
  rw: "readwrite",
};

/** Bytes. */
function sizeOf(text: string, piece: Piece): number {
  const match = /^(\d+)([kmg]?)b?$/i.exec(text);
  if (match === null) return piece.fail(`size=${text}: a number with b, k, m or g is right, such as 64m`);
  return Number(match[1]) * ({ k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[(match[2] ?? "").toLowerCase()] ?? 1);
}
