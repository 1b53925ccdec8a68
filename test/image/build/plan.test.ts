// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** Plans: which stages are built, and what their steps are, by value. */
import { describe, expect, test } from "vitest";
import { parseDockerfile, parseTrigger } from "../../../src/image/build/language/parse.ts";
import { type Graph, planGraph } from "../../../src/image/build/plan/graph.ts";
import { portKeys } from "../../../src/image/build/plan/ports.ts";
import { planStage } from "../../../src/image/build/plan/stage.ts";
import type { RunMount, RunStep, StagePlan, Step } from "../../../src/image/build/plan/steps.ts";
import type { ExecutionConfig } from "../../../src/image/store/documents.ts";

const PLATFORM = { os: "linux", architecture: "arm64", variant: "v8" };

function graphOf(text: string, target: string | null = null, buildArgs: Record<string, string> = {}): Graph {
  return planGraph(parseDockerfile(text, "Dockerfile"), {
    buildArgs: new Map(Object.entries(buildArgs)),
    target,
    buildPlatform: { os: "linux", architecture: "amd64" },
    targetPlatform: PLATFORM,
  });
}

function plan(
  text: string,
  config: ExecutionConfig = {},
  buildArgs: Record<string, string> = {},
  args: Record<string, string> = {},
): StagePlan {
  const graph = graphOf(text, null, buildArgs);
  const triggers = (config.OnBuild ?? []).map((trigger) => parseTrigger(trigger, "base", "\\"));
  const base = { config, author: null, args: new Map(Object.entries(args)), triggers };
  return planStage(graph.dockerfile.stages.at(-1) as never, base, graph, {
    buildArgs: new Map(Object.entries(buildArgs)),
    network: "default",
  });
}

function runs({ steps }: { steps: readonly Step[] }): RunStep[] {
  return steps.filter((step) => step.kind === "run");
}

describe("stages", () => {
  const FILE =
    "FROM x AS Base\nFROM base AS two\nFROM y AS unneeded\nFROM scratch\nCOPY --from=TWO a b\nRUN --mount=from=0,target=/m z\n";

  test("that are needed are those that the target reaches", () => {
    const graph = graphOf(FILE);
    expect(graph.needed).toEqual([0, 1, 3]);
    expect(graph.nodes.map(({ base, needs }) => ({ base, needs }))).toEqual([
      { base: { kind: "image", name: "x" }, needs: [] },
      { base: { kind: "stage", index: 0 }, needs: [0] },
      { base: { kind: "image", name: "y" }, needs: [] },
      { base: { kind: "scratch" }, needs: [0, 1] },
    ]);
  });

  test.each<[target: string, needed: number[]]>([
    ["base", [0]],
    ["BASE", [0]],
    ["1", [0, 1]],
  ])("of the target %s", (target, needed) => expect(graphOf(FILE, target).needed).toEqual(needed));

  test("of a target that is not there", () => {
    expect(() => graphOf(FILE, "three")).toThrow(
      '--target "three": there is no such stage (those there are: base, two, unneeded, 3)',
    );
  });

  test("of the same name: the latest earlier one is meant", () => {
    const graph = graphOf("FROM x AS a\nFROM y AS a\nFROM a\nCOPY --from=a b c\n");
    expect(graph.nodes[2]).toMatchObject({ base: { kind: "stage", index: 1 }, needs: [1] });
  });

  test("know arguments from before the first FROM alone", () => {
    const graph = graphOf("ARG V=1\nARG W=${V}a\nFROM x:$W\nARG V=2\nFROM y:$V-$TARGETARCH-$BUILDARCH\n");
    expect(graph.nodes.map(({ base }) => base)).toEqual([
      { kind: "image", name: "x:1a" },
      { kind: "image", name: "y:1-arm64-amd64" },
    ]);
  });

  test.each<[target: string | null, text: string, value: string]>([
    [null, "FROM x\n", "default"],
    [null, "FROM x AS Final\n", "final"],
    ["first", "FROM x AS first\nFROM y AS final\n", "first"],
  ])("the target's name is TARGETSTAGE: %j of %j", (target, text, value) => {
    expect(graphOf(text, target).automatic.get("TARGETSTAGE")).toBe(value);
  });

  test("of platforms: an argument of the command line is in the place of what is there without one", () => {
    const text = "FROM x AS of-freebsd\nFROM of-$TARGETOS\nARG TARGETOS\nARG TARGETARCH\n";
    const graph = graphOf(text, null, { TARGETOS: "freebsd", BUILDARCH: "m68k" });
    expect(graph.nodes[1]?.base).toEqual({ kind: "stage", index: 0 });
    expect(graph.warnings).toEqual([]);
    expect(plan(`${text}ENV e=$TARGETOS-$TARGETARCH\n`, {}, { TARGETOS: "freebsd" }).config.Env).toContain(
      "e=freebsd-arm64",
    );
  });

  test("warn of arguments that nobody takes", () => {
    expect(
      graphOf("FROM x\nARG a\n", null, {
        a: "1",
        b: "2",
        HTTP_PROXY: "3",
        SOURCE_DATE_EPOCH: "4",
        BUILDKIT_SYNTAX: "5",
      }).warnings.map(({ text }) => text),
    ).toEqual(["--build-arg b is not used: no ARG b takes it"]);
  });
});

describe("variables", () => {
  test("of one instruction do not see each other", () => {
    expect(plan("FROM x\nENV a=1\nENV a=2 b=$a\nENV c=$a\n", { Env: ["PATH=/bin"] }).config.Env).toEqual([
      "PATH=/bin",
      "a=2",
      "b=1",
      "c=2",
    ]);
  });

  test("of a base without a name are none", () => {
    expect(plan("FROM x\nENV a=1\n", { Env: ["PATH=/bin", "", "=x", "bare"] }).config.Env).toEqual([
      "PATH=/bin",
      "bare=",
      "a=1",
    ]);
  });

  test("of ENV and ARG: the later counts", () => {
    const env = (text: string, args: Record<string, string> = {}) =>
      runs(plan(text, { Env: ["PATH=/bin"] }, args)).map((step) => step.env.find((one) => one.startsWith("v=")));
    expect(env("FROM x\nARG v\nENV v=hard\nRUN y\n", { v: "cli" })).toEqual(["v=hard"]);
    expect(env("FROM x\nENV v=hard\nARG v=soft\nRUN y\n")).toEqual(["v=soft"]);
    expect(env("FROM x\nENV v=hard\nARG v\nRUN y\n")).toEqual(["v=hard"]);
    expect(env("FROM x\nRUN y\nARG v=1\nRUN z\n")).toEqual([undefined, "v=1"]);
  });

  test("of a base that is a stage are inherited, others not", () => {
    expect(plan("FROM x\nENV e=$v\n", {}, {}, { v: "1" }).config.Env).toContain("e=1");
    expect(plan("FROM w\nARG v=1\nFROM x\nENV e=$v\n").config.Env).toContain("e=");
  });

  test("the default of an ARG that is given is not looked at", () => {
    const text = "FROM x\nARG a\nARG b=${a:?missing}\nENV e=$b\n";
    expect(plan(text, {}, { b: "1" }).config.Env).toContain("e=1");
    expect(plan(text, {}, { a: "2" }).config.Env).toContain("e=2");
    expect(() => plan(text)).toThrow("Dockerfile:3:7: a: missing");
  });

  test("ARG without a value takes that from before the first FROM", () => {
    expect(plan("ARG v=1\nFROM x\nARG v\nENV e=$v\n").config.Env).toContain("e=1");
    expect(plan("ARG v=1\nFROM x\nENV e=$v\n").config.Env).toContain("e=");
    expect(plan("FROM x\nARG TARGETARCH\nENV e=$TARGETARCH\n").config.Env).toContain("e=arm64");
  });

  test("for proxies are seen by RUN, and by neither image nor history, unless they are declared", () => {
    const { steps, config } = plan("FROM x\nRUN y\nARG HTTP_PROXY\nRUN z\n", {}, { HTTP_PROXY: "http://u:p@h" });
    const [before, after] = runs({ steps });
    expect(before).toMatchObject({ proxies: ["HTTP_PROXY=http://u:p@h"], history: "RUN /bin/sh -c y" });
    expect(before?.env.join()).not.toContain("u:p");
    expect(after).toMatchObject({ proxies: [], history: "RUN |1 HTTP_PROXY=http://u:p@h /bin/sh -c z" });
    expect(JSON.stringify(config)).not.toContain("u:p");
  });
});

describe("configuration", () => {
  test("ENTRYPOINT resets the base's CMD, and not its own stage's", () => {
    const base = { Cmd: ["base"], Entrypoint: ["e"] };
    expect(plan('FROM x\nENTRYPOINT ["a"]\n', base).config).toMatchObject({ Entrypoint: ["a"], Cmd: null });
    expect(plan('FROM x\nCMD ["c"]\nENTRYPOINT ["a"]\n', base).config).toMatchObject({ Entrypoint: ["a"], Cmd: ["c"] });
  });

  test("SHELL is inherited, and used by later shell forms", () => {
    const { config, steps } = plan("FROM x\nRUN a\nCMD b\n", { Shell: ["/bin/bash", "-c"] });
    expect(config).toMatchObject({ Cmd: ["/bin/bash", "-c", "b"], Shell: ["/bin/bash", "-c"] });
    expect(runs({ steps })[0]?.args).toEqual(["/bin/bash", "-c", "a"]);
  });

  test("ONBUILD runs first in a child, and is not inherited", () => {
    const { steps, config } = plan("FROM x\nRUN own\n", { OnBuild: ["RUN one", "COPY a b"] });
    expect(steps.map(({ text }) => text)).toEqual(["RUN one", "COPY a b", "RUN own"]);
    expect(config.OnBuild).toBeUndefined();
  });

  test("HEALTHCHECK is inherited, replaced, and switched off", () => {
    const base = { Healthcheck: { Test: ["CMD", "x"], Interval: 5 } };
    expect(plan("FROM x\nENV a=1\n", base).config.Healthcheck).toEqual(base.Healthcheck);
    expect(plan("FROM x\nHEALTHCHECK NONE\n", base).config.Healthcheck).toEqual({ Test: ["NONE"] });
    expect(plan("FROM x\nHEALTHCHECK --start-interval=2s --interval=1m30s CMD y z\n", base).config.Healthcheck).toEqual(
      {
        Test: ["CMD-SHELL", "y z"],
        Interval: 90e9,
        StartInterval: 2e9,
      },
    );
  });

  test("ports: one key each, protocol in lower case", () => {
    expect(["80", "443/udp", "53/UDP", "8000-8002/tcp"].flatMap(portKeys)).toEqual([
      "80/tcp",
      "443/udp",
      "53/udp",
      "8000/tcp",
      "8001/tcp",
      "8002/tcp",
    ]);
  });

  test("ports of the host in EXPOSE count for nothing, with a warning", () => {
    expect(["8080:80", "127.0.0.1:81:81/udp", ":82", "[::1]::83", "9000-9001:90-91"].flatMap(portKeys)).toEqual([
      "80/tcp",
      "81/udp",
      "82/tcp",
      "83/tcp",
      "90/tcp",
      "91/tcp",
    ]);
    const { warnings } = parseDockerfile("FROM x\nEXPOSE 80 8080:81 $p:1\n", "Dockerfile");
    expect(warnings.map(({ at, rule }) => `${at.line}:${at.column} ${rule}`)).toEqual(["2:11 ExposeInvalidFormat"]);
  });

  test("MAINTAINER is prose", () => {
    expect(plan('FROM x\nENV a=1\nMAINTAINER "Tim" O\'Reilly $a <t@host.example>\n').author).toBe(
      '"Tim" O\'Reilly $a <t@host.example>',
    );
  });

  test("several CMDs, ENTRYPOINTs and HEALTHCHECKs of a stage: a warning for each that does not count", () => {
    const { warnings } = parseDockerfile(
      "FROM x\nCMD a\nCMD b\nENTRYPOINT c\nENTRYPOINT d\nCMD e\nFROM y\nCMD f\n",
      "Dockerfile",
    );
    expect(warnings.map(({ at, text }) => `${at.line} ${text}`)).toEqual([
      "2 this CMD does not count: the last one of the stage does, on line 6",
      "3 this CMD does not count: the last one of the stage does, on line 6",
      "4 this ENTRYPOINT does not count: the last one of the stage does, on line 5",
    ]);
  });

  test("the directive check: what it skips is no warning, and no error", () => {
    const warnings = (top: string) => parseDockerfile(`${top}FROM x\nCMD a\nCMD b\nRUN ['c']\n`, "Dockerfile").warnings;
    expect(warnings("").map(({ rule }) => rule)).toEqual(["JSONArgsRecommended", "MultipleInstructionsDisallowed"]);
    expect(warnings("# check=skip=jsonargsrecommended\n").map(({ rule }) => rule)).toEqual([
      "MultipleInstructionsDisallowed",
    ]);
    expect(warnings("# check=skip=all;error=true\n")).toEqual([]);
    expect(() => warnings("# Check = error=true\n")).toThrow("Dockerfile:5:5: ");
  });

  test("a syntax of somebody else's: a warning, and a mirror's is not", () => {
    const warnings = (syntax: string) => parseDockerfile(`# syntax=${syntax}\nFROM x\n`, "Dockerfile").warnings;
    expect(["docker/dockerfile:1", "host.example:5000/mirror/docker/dockerfile:1.7-labs"].flatMap(warnings)).toEqual(
      [],
    );
    expect(warnings("other/language:1").map(({ text }) => text)).toEqual([
      'the syntax "other/language:1" is not fetched: this is read as docker/dockerfile reads it',
    ]);
  });

  test.each([
    ["CMD ['a', 'b']", 1],
    ["CMD [ 'a', 'b' ]", 1],
    ['ENTRYPOINT ["a" "b"]', 1],
    ["RUN [ -e /x ] && y", 0],
    ['RUN [ "$x" = "y" ]', 0],
    ["RUN [ \"$(id -u):$(id -g)\" = '1:2' ] && [ 'a' != \"b\" ]", 0],
    ["RUN [ \\\n  'a' = \"$a\" ]", 0],
  ])("what looks like an array and is none is warned of: %s", (text, count) => {
    expect(parseDockerfile(`FROM x\n${text}\n`, "Dockerfile").warnings).toHaveLength(count);
  });
});

describe("steps", () => {
  test.each<[text: string, args: string[], script: string | null]>([
    ["RUN a  b", ["/bin/sh", "-c", "a  b"], null],
    ['RUN ["a", "b c"]', ["a", "b c"], null],
    ["RUN <<E\necho $x\nE", ["/bin/sh", "-c", "echo $x\n"], null],
    ["RUN <<E\n#!/bin/x\ny\nE", ["/dev/pipes/E"], "#!/bin/x\ny\n"],
    ["RUN cat <<E | wc\n1\nE", ["/bin/sh", "-c", "cat <<E | wc\n1\nE"], null],
  ])("%j", (text, args, script) => expect(runs(plan(`FROM x\n${text}\n`))[0]).toMatchObject({ args, script }));

  test.each<[destination: string, absolute: string]>([
    ["$DIR", "/opt/"],
    ['"$DIR"', "/opt/"],
    ["x", "/w/x"],
    [".", "/w/"],
    ["./y/", "/w/y/"],
    ["/", "/"],
    ["../up", "/up"],
  ])("COPY a %s goes to %s", (destination, absolute) => {
    const { steps } = plan(`FROM x\nENV DIR=/opt/\nWORKDIR /w\nCOPY a ${destination}\n`);
    expect(steps.at(-1)).toMatchObject({ kind: "copy", destination: absolute });
  });

  test("quotes of a flag's value are no part of it", () => {
    const { steps, config } = plan(
      'FROM w AS s\nFROM x\nRUN --network="none" --security=\'sandbox\' y\nCOPY --from="s" --link="true" --chown="1:2" --exclude="a b" c d\nHEALTHCHECK --interval="5s" --retries="3" CMD z\n',
    );
    expect(steps[0]).toMatchObject({ kind: "run", network: "none" });
    expect(steps[1]).toMatchObject({ from: { kind: "stage", index: 0 }, chown: "1:2", exclude: ["a b"] });
    expect(config.Healthcheck).toMatchObject({ Interval: 5e9, Retries: 3 });
  });

  test.each<[flag: string, mount: Partial<RunMount>]>([
    ['"type=tmpfs,target=/t"', { type: "tmpfs", target: "/t", readOnly: false }],
    ['type=bind,"source=a,b",target=/t', { type: "bind", source: "a,b" }],
    ['type=bind,source="a b","target=/t"', { type: "bind", source: "a b", target: "/t" }],
    ['from="s",target=/t', { type: "bind", from: { kind: "stage", index: 0 } }],
    ["type=$T,target=/t", { type: "cache", target: "/t" }],
    ["Type=TmpFS,target=/t,ro", { type: "tmpfs", readOnly: true }],
    ["type=cache,target=/t,sharing=LOCKED", { type: "cache", sharing: "locked" }],
    ["type=secret,id=i,readonly", { type: "secret", readOnly: true }],
    ["type=secret,id=i,rw", { type: "secret", readOnly: true }],
    ["type=ssh,rw=true", { type: "ssh", readOnly: false }],
  ])("--mount=%s", (flag, mount) => {
    const [step] = runs(plan(`FROM w AS s\nFROM x\nENV T=cache\nRUN --mount=${flag} y\n`));
    expect(step?.mounts[0]).toMatchObject(mount);
  });

  test("agents' sockets have places of their own", () => {
    const [step] = runs(
      plan("FROM x\nRUN --mount=type=ssh,id=a --mount=type=ssh,id=b,target=/b --mount=type=ssh,id=c y\n"),
    );
    expect(step?.mounts.map(({ target }) => target)).toEqual([
      "/run/buildkit/ssh_agent.0",
      "/b",
      "/run/buildkit/ssh_agent.2",
    ]);
  });

  test("in a here-document an escaped line feed, a dollar and a backtick are the shell's", () => {
    const { steps } = plan('FROM x\nCOPY <<a /d/\none \\\n  two \\` \\a "\\b"\na\n');
    expect(steps.at(-1)).toMatchObject({ files: [{ name: "a", content: 'one   two ` \\a "\\b"\n' }] });
  });

  test("here-documents are expanded as such, or byte for byte", () => {
    const { steps } = plan("FROM x\nENV v=1\nCOPY <<a <<'b' /d/\n\"$v\" '$v' \\$v \\\\ \\n\na\n\"$v\" \\$v\nb\n");
    expect(steps.at(-1)).toMatchObject({
      files: [
        { name: "a", content: "\"1\" '1' $v \\ \\n\n" },
        { name: "b", content: '"$v" \\$v\n' },
      ],
    });
  });

  test("a here-document alone is the script, with a blank before its delimiter, too", () => {
    const [bare, redirected] = runs(plan("FROM x\nRUN << E\none\ntwo\nE\nRUN cat << E\none\nE\n"));
    expect(bare?.args).toEqual(["/bin/sh", "-c", "one\ntwo\n"]);
    expect(redirected?.args).toEqual(["/bin/sh", "-c", "cat << E\none\nE"]);
  });

  test("WORKDIRs stack", () => {
    expect(plan("FROM x\nWORKDIR a/\nWORKDIR b/../c\n", { WorkingDir: "/base" }).config.WorkingDir).toBe("/base/a/c");
  });

  test("mounts", () => {
    const [step] = runs(
      plan(
        "FROM x AS s\nFROM y\nWORKDIR /w\nENV T=cache\nRUN --mount=type=cache,target=$T,id=i,sharing=locked,mode=0700,uid=5 --mount=from=s,src=/a,dst=/b,rw --mount=type=secret,id=k,env=K z\n",
      ),
    );
    expect(step?.mounts).toMatchObject([
      { type: "cache", target: "/w/cache", id: "i", sharing: "locked", mode: 0o700, uid: 5, gid: 0, readOnly: false },
      { type: "bind", from: { kind: "stage", index: 0 }, source: "/a", target: "/b", readOnly: false },
      { type: "secret", id: "k", env: "K", isFile: false, required: false },
    ]);
  });
});
