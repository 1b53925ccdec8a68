/** Reads a Dockerfile into stages of instructions. Every refusal has file, line and column. */
import { checked } from "./checks.ts";
import { closest } from "./closest.ts";
import { type Flags, type FlagTable, readFlags, unquoted } from "./flags.ts";
import type { Dockerfile, From, HealthcheckTest, Instruction, MountFlag, Stage, Warning } from "./instructions.ts";
import { type Directive, type RawInstruction, splitFile } from "./lines.ts";
import { DockerfileError, type Piece } from "./position.ts";
import { readCopy } from "./read-copy.ts";
import { readArguments, readArray, readArrayOrWords, readAssignments, readCommand, readDuration } from "./values.ts";

/** What reading an instruction needs. */
interface Reading {
  raw: RawInstruction;
  /** What follows the flags. */
  rest: Piece;
  flags: Flags["values"];
  escapeToken: string;
  warnings: Warning[];
}

interface Rule {
  flags: FlagTable;
  read(reading: Reading): Instruction;
}

const COPY_FLAGS = {
  chown: "value",
  chmod: "value",
  link: "boolean",
  exclude: "several",
} as const;

const RULES: Readonly<Record<string, Rule>> = {
  ADD: { flags: { ...COPY_FLAGS, checksum: "value", unpack: "boolean", "keep-git-dir": "boolean" }, read: readCopy },
  ARG: plain(({ rest, escapeToken }) => ({ kind: "arg", assignments: readArguments(rest, escapeToken) })),
  CMD: plain(({ rest, warnings }) => ({ kind: "cmd", command: readCommand(rest, warnings) })),
  COPY: { flags: { ...COPY_FLAGS, from: "value", parents: "boolean" }, read: readCopy },
  ENTRYPOINT: plain(({ rest, warnings }) => ({ kind: "entrypoint", command: readCommand(rest, warnings) })),
  ENV: plain(({ rest, escapeToken }) => ({ kind: "env", assignments: readAssignments("ENV", rest, escapeToken) })),
  EXPOSE: plain(readExpose),
  FROM: { flags: { platform: "value" }, read: readFrom },
  HEALTHCHECK: {
    flags: {
      interval: "value",
      timeout: "value",
      "start-period": "value",
      "start-interval": "value",
      retries: "value",
    },
    read: readHealthcheck,
  },
  LABEL: plain(({ rest, escapeToken }) => ({
    kind: "label",
    assignments: readAssignments("LABEL", rest, escapeToken),
  })),
  MAINTAINER: plain(({ rest }) => ({ kind: "maintainer", value: one("MAINTAINER", rest) })),
  ONBUILD: plain(readOnbuild),
  RUN: { flags: { mount: "options", network: "value", security: "value", device: "several" }, read: readRun },
  SHELL: plain(({ rest }) => {
    const args = readArray(rest);
    if (args === null || args.length === 0)
      return rest.fail('SHELL needs a JSON array with at least one string: SHELL ["/bin/sh", "-c"] is right');
    return { kind: "shell", args };
  }),
  STOPSIGNAL: plain(({ rest }) => ({ kind: "stopsignal", value: one("STOPSIGNAL", rest) })),
  USER: plain(({ rest }) => ({ kind: "user", value: one("USER", rest) })),
  VOLUME: plain(({ rest }) => ({ kind: "volume", values: some("VOLUME", rest, readArrayOrWords(rest)) })),
  WORKDIR: plain(({ rest }) => ({ kind: "workdir", value: one("WORKDIR", rest) })),
};

type Bare = Instruction extends infer I ? (I extends unknown ? Omit<I, "at" | "text"> : never) : never;

/** An instruction without flags. */
function plain(read: (reading: Reading) => Bare): Rule {
  return { flags: {}, read: (reading) => ({ ...read(reading), ...common(reading.raw) }) as Instruction };
}

/** Where an instruction stands, and how it is shown. */
export function common({ keyword, rest, at }: RawInstruction): { at: RawInstruction["at"]; text: string } {
  return { at, text: `${keyword} ${rest.text}`.replace(/\s+/g, " ").trim() };
}

/** @param file name for messages @throws {DockerfileError} */
export function parseDockerfile(text: string, file: string): Dockerfile {
  const { escapeToken, instructions, directives } = splitFile(text, file);
  const warnings: Warning[] = [...foreignSyntax(directives.get("syntax"))];
  const globals: Dockerfile["globals"] = [];
  const stages: Stage[] = [];
  for (const raw of instructions) {
    const instruction = readInstruction(raw, escapeToken, warnings);
    const stage = stages.at(-1);
    if (instruction.kind === "from") stages.push({ from: instruction, index: stages.length, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globals.push(instruction);
    else throw new DockerfileError(raw.at, `${raw.keyword} comes before the first FROM: only ARG may`);
  }
  if (stages.length === 0) {
    throw new DockerfileError({ file, line: 1, column: 1 }, "there is no FROM, with which a stage begins");
  }
  for (const stage of stages) warnings.push(...superseded(stage));
  return { escapeToken, globals, stages, warnings: checked(warnings, directives.get("check")) };
}

/** What reads the language of Dockerfiles, in any of its versions, which add to each other; a mirror's copy is called so, too. */
const OWN_SYNTAX = /(^|\/)docker\/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/;

function foreignSyntax(syntax: Directive | undefined): Warning[] {
  if (syntax === undefined || syntax.value === "" || OWN_SYNTAX.test(syntax.value)) return [];
  const text = `the syntax ${JSON.stringify(syntax.value)} is not fetched: this is read as docker/dockerfile reads it`;
  return [{ at: syntax.at, text, rule: null }];
}

/** The instructions that an image keeps for builds on top of it. @param image its name @throws {DockerfileError} */
export function parseTrigger(text: string, image: string, escapeToken: string): Exclude<Instruction, From> {
  const { instructions } = splitFile(
    escapeToken === "\\" ? text : `# escape=${escapeToken}\n${text}`,
    `ONBUILD of ${image}`,
  );
  const raw = instructions[0];
  if (raw === undefined || instructions.length > 1)
    throw new Error(`${image}: ${JSON.stringify(text)} is no instruction`);
  refuseTrigger(raw.keyword, raw);
  return readInstruction(raw, escapeToken, []) as Exclude<Instruction, From>;
}

function readInstruction(raw: RawInstruction, escapeToken: string, warnings: Warning[]): Instruction {
  const rule = Object.hasOwn(RULES, raw.keyword) ? RULES[raw.keyword] : undefined;
  if (rule === undefined) {
    const similar = closest(raw.keyword, Object.keys(RULES));
    const names = Object.keys(RULES).join(", ");
    const hint = similar === null ? `the instructions are ${names}` : `did you mean ${similar}?`;
    throw new DockerfileError(raw.at, `unknown instruction ${JSON.stringify(raw.keyword)}: ${hint}`);
  }
  if (raw.rest.text === "") throw new DockerfileError(raw.at, `${raw.keyword} needs an argument`);
  const hasFlags = Object.keys(rule.flags).length > 0;
  const read = hasFlags
    ? readFlags(raw.keyword, raw.rest, rule.flags, escapeToken)
    : { values: new Map<string, Piece[]>(), rest: raw.rest };
  if (!hasFlags && raw.rest.text.startsWith("--") && !["CMD", "ENTRYPOINT"].includes(raw.keyword)) {
    readFlags(raw.keyword, raw.rest, {}, escapeToken);
  }
  if (read.rest.text === "" && raw.heredocs.length === 0)
    throw new DockerfileError(raw.at, `${raw.keyword} needs an argument`);
  return rule.read({ raw, rest: read.rest, flags: read.values, escapeToken, warnings });
}

function one(keyword: string, rest: Piece): Piece {
  if (rest.text === "") rest.fail(`${keyword} needs an argument`);
  return rest;
}

function some(keyword: string, rest: Piece, values: Piece[]): Piece[] {
  if (values.length === 0) rest.fail(`${keyword} needs at least one argument`);
  const empty = values.find(({ text }) => text === "");
  if (empty !== undefined) empty.fail(`${keyword}: an empty argument`);
  return values;
}

function readExpose({ rest, warnings }: Reading): Bare {
  const values = some("EXPOSE", rest, rest.words());
  for (const value of values.filter(({ text }) => /^[^$]*:[^$]*$/.test(text))) {
    const text = `EXPOSE ${value.text}: what is before the last ":" does not count, ports of the host are chosen when a container is run`;
    warnings.push({ at: value.at(), rule: "ExposeInvalidFormat", text });
  }
  return { kind: "expose", values };
}

function readFrom({ raw, rest, flags }: Reading): Instruction {
  const [image, as, name, more] = rest.words();
  if (image === undefined) return rest.fail("FROM needs an image");
  const form = "FROM IMAGE [AS NAME] is right";
  if (as !== undefined && as.text.toUpperCase() !== "AS")
    as.fail(`${JSON.stringify(as.text)} follows the image: ${form}`);
  if (as !== undefined && name === undefined) as.fail(`a name is missing after ${as.text}: ${form}`);
  if (more !== undefined) more.fail(`${JSON.stringify(more.text)} follows the name: ${form}`);
  if (name !== undefined && !/^[A-Za-z][A-Za-z0-9_.-]*$/.test(name.text)) {
    name.fail(
      `invalid name ${JSON.stringify(name.text)} of a stage: a letter, then letters, digits, "_", "." and "-" are right`,
    );
  }
  const platform = flags.get("platform")?.[0] ?? null;
  return { kind: "from", ...common(raw), image, platform, name: name?.text.toLowerCase() ?? null };
}

function readRun({ raw, rest, flags, escapeToken, warnings }: Reading): Instruction {
  const security = flags.get("security")?.[0];
  if (security !== undefined && security.text !== "sandbox")
    security.fail(`--security=${security.text}: only "sandbox" is there: a build gets no more rights than a container`);
  const device = flags.get("device")?.[0];
  if (device !== undefined) device.fail("--device is not supported: a build gets no devices of the host");
  const mounts = (flags.get("mount") ?? []).map((flag) => readMountFlag(flag, escapeToken));
  const network = flags.get("network")?.[0] ?? null;
  if (network !== null && !["default", "none", "host"].includes(network.text))
    network.fail(`--network=${network.text}: default, none or host is right`);
  const command = readCommand(rest, warnings);
  if (command.kind === "exec" && command.args.length === 0)
    rest.fail('RUN [] has no command: RUN ["COMMAND", "ARGUMENT"] is right');
  return { kind: "run", ...common(raw), command, heredocs: raw.heredocs, mounts, network };
}

/** Options are separated by commas; one in double quotes may have commas in it. Quotes may also be around all of them, or around a value. */
function readMountFlag(flag: Piece, escapeToken: string): MountFlag {
  const at = /^"[^"]*"$|^'[^']*'$/.test(flag.text) ? unquoted(flag, escapeToken) : flag;
  const fields = [...at.text.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].filter(([all]) => all !== "");
  const options = fields.map((match) => {
    const field = match[1] as string;
    const isQuoted = field.startsWith('"') && field.endsWith('"') && field.length > 1;
    const piece = at.slice(match.index + (isQuoted ? 1 : 0), match.index + field.length - (isQuoted ? 1 : 0));
    const equals = piece.text.indexOf("=");
    const name = (equals === -1 ? piece.text : piece.text.slice(0, equals)).toLowerCase().trim();
    const value = equals === -1 ? piece.slice(piece.text.length) : unquoted(piece.slice(equals + 1), escapeToken);
    return { name, value };
  });
  return { at, options };
}

function readHealthcheck({ raw, rest, flags, warnings }: Reading): Instruction {
  const [word] = rest.words();
  const type = word?.text.toUpperCase();
  const test = readTest(rest, type, word?.text.length ?? 0, warnings);
  if (test.kind === "none" && flags.size > 0) rest.fail("HEALTHCHECK NONE takes no flags");
  const names = {
    interval: "Interval",
    timeout: "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
  } as const;
  const durations: Partial<Record<(typeof names)[keyof typeof names], number>> = {};
  for (const [flag, name] of Object.entries(names)) {
    const value = flags.get(flag)?.[0];
    if (value !== undefined) durations[name] = readDuration(flag, value);
  }
  const given = flags.get("retries")?.[0];
  if (given !== undefined && !/^\d{1,9}$/.test(given.text))
    given.fail(`--retries=${given.text}: a number from 0 on is right`);
  return {
    kind: "healthcheck",
    ...common(raw),
    test,
    durations,
    retries: given === undefined ? null : Number(given.text),
  };
}

function readTest(rest: Piece, type: string | undefined, length: number, warnings: Warning[]): HealthcheckTest {
  const argument = rest.slice(length).trim();
  if (type === "NONE") {
    if (argument.text !== "") argument.fail("HEALTHCHECK NONE takes no arguments");
    return { kind: "none" };
  }
  if (type !== "CMD")
    rest.fail(`HEALTHCHECK ${rest.words()[0]?.text ?? ""}: HEALTHCHECK [FLAGS] CMD … or HEALTHCHECK NONE is right`);
  if (argument.text === "") rest.fail("a command is missing after HEALTHCHECK CMD");
  return { kind: "command", command: readCommand(argument, warnings) };
}

function readOnbuild({ raw, rest, escapeToken }: Reading): Bare {
  const keyword = (rest.words()[0]?.text ?? "").toUpperCase();
  const inner: RawInstruction = {
    keyword,
    at: rest.at(),
    rest: rest.slice(keyword.length).trim(),
    heredocs: raw.heredocs,
  };
  refuseTrigger(keyword, inner);
  // What is wrong with it is told now, not when a child is built.
  readInstruction(inner, escapeToken, []);
  const documents = raw.heredocs.map(({ content, name }) => `\n${content}${name}`).join("");
  return { kind: "onbuild", trigger: `${rest.text}${documents}` };
}

function refuseTrigger(keyword: string, raw: RawInstruction): void {
  if (["ONBUILD", "FROM", "MAINTAINER"].includes(keyword))
    throw new DockerfileError(
      raw.at,
      `ONBUILD ${keyword} is not allowed: any instruction but ONBUILD, FROM and MAINTAINER is`,
    );
}

/** Of several CMDs, and ENTRYPOINTs and HEALTHCHECKs, the last one counts. */
function superseded({ instructions }: Stage): Warning[] {
  return (["cmd", "entrypoint", "healthcheck"] as const).flatMap((kind) => {
    const all = instructions.filter((instruction) => instruction.kind === kind);
    const last = all.at(-1);
    return all.slice(0, -1).map(({ at }) => ({
      at,
      rule: "MultipleInstructionsDisallowed",
      text: `this ${kind.toUpperCase()} does not count: the last one of the stage does, on line ${last?.at.line}`,
    }));
  });
}
