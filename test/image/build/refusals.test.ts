// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** Each refusal of the language, with its line and column. */
import { expect, test } from "vitest";
import { parseDockerfile } from "../../../src/image/build/language/parse.ts";
import { planGraph } from "../../../src/image/build/plan/graph.ts";
import { planStage } from "../../../src/image/build/plan/stage.ts";

const PLATFORM = { os: "linux", architecture: "amd64" };

/** Reads and plans all stages, each on an empty configuration. */
function plan(text: string): void {
  const dockerfile = parseDockerfile(text, "Dockerfile");
  const options = { buildArgs: new Map(), target: null, buildPlatform: PLATFORM, targetPlatform: PLATFORM };
  const graph = planGraph(dockerfile, options);
  for (const stage of dockerfile.stages) {
    const base = { config: {}, author: null, args: new Map(), triggers: [] };
    planStage(stage, base, graph, { buildArgs: new Map(), network: "default" });
  }
}

function refusal(text: string): string {
  try {
    plan(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("it was not refused");
}

/** What is written, where it is refused, and a part of the words. */
const REFUSALS: readonly [text: string, place: string, words: RegExp][] = [
  ["", "1:1", /there is no FROM/],
  ["# only a comment\n", "1:1", /there is no FROM/],
  ["RUN x\nFROM a\n", "1:1", /RUN comes before the first FROM/],
  ["FROM a\n  FOO bar\n", "2:3", /unknown instruction "FOO": the instructions are ADD/],
  ["FROM a\nRNU bar\n", "2:1", /unknown instruction "RNU": did you mean RUN\?/],
  ["FROM a\nCOPY . .\n\nENTRYPONT x\n", "4:1", /did you mean ENTRYPOINT\?/],
  ["FROM\n", "1:1", /FROM needs an argument/],
  ["FROM a b\n", "1:8", /"b" follows the image: FROM IMAGE \[AS NAME\] is right/],
  ["FROM a AS\n", "1:8", /a name is missing after AS/],
  ["FROM a AS b c\n", "1:13", /"c" follows the name/],
  ["FROM a AS 1b\n", "1:11", /invalid name "1b" of a stage/],
  ["FROM --plattform=x a\n", "1:6", /FROM has no flag --plattform: did you mean --platform\?/],
  ["FROM --platform a\n", "1:6", /--platform needs a value/],
  ["FROM $x\n", "1:6", /names no image/],
  ["FROM --platform=$x a\n", "1:17", /nothing is left after the variables were put in/],
  ["FROM a\nCOPY x\n", "2:6", /needs a source and a destination/],
  ["FROM a\nCOPY --chwon=1 x y\n", "2:6", /did you mean --chown\?/],
  ["FROM a\nCOPY --chown=1 --chown=2 x y\n", "2:16", /--chown is given twice/],
  ["FROM a\nCOPY --link=maybe x y\n", "2:13", /true or false is right/],
  ["FROM a\nCOPY --from=$x y z\n", "2:13", /--from takes no variables/],
  ["FROM a AS b\nCOPY --from=b y z\n", "2:1", /cannot take from itself/],
  ["FROM a\nCOPY <<E /x\nfoo\n", "2:6", /the here-document "E" has no end: a line with nothing but E is missing/],
  ["FROM a\nRUN <<E\nfoo\n  E\n", "2:5", /line 4 has blanks beside E/],
  ['FROM a\nRUN <<"E\nfoo\nE\n', "2:5", /delimiter of a here-document: a double quote is not closed/],
  ['FROM a\nCOPY <<"E /x\nfoo\nE\n', "2:6", /delimiter of a here-document: a double quote is not closed/],
  ["FROM a\nCOPY x <<-E'F y /z\nfoo\nE\n", "2:8", /delimiter of a here-document: a single quote is not closed/],
  ['FROM a\nRUN cat 3<<"E && b\nfoo\nE\n', "2:9", /delimiter of a here-document: a double quote is not closed/],
  ["FROM a\nONBUILD COPY <<'E /x\nfoo\nE\n", "2:14", /delimiter of a here-document: a single quote is not closed/],
  ['FROM a\nRUN cat << "E && b\nfoo\nE\n', "2:9", /delimiter of a here-document: a double quote is not closed/],
  ["FROM a\nRUN cat << E\nfoo\nF\n", "2:9", /the here-document "E" has no end: a line with nothing but E is missing/],
  [
    "FROM a\nCOPY <<- E /x\nfoo\nE\n",
    "2:6",
    /COPY: a blank is between "<<-" and the here-document's delimiter: it must go$/,
  ],
  ["FROM a\nRUN echo $((1<<2))\nfoo\n", "3:1", /unknown instruction "FOO".*WORKDIR$/],
  ["FROM a\nENV x\n", "2:5", /ENV x: a value is missing/],
  ["FROM a\nENV x=1 y\n", "2:9", /"y" is no NAME=value/],
  ["FROM a\nENV =1\n", "2:5", /has no name before the "="/],
  ['FROM a\nENV x="1\n', "2:7", /a double quote is not closed/],
  ["FROM a\nLABEL a=1 \\\n  b='2\n", "3:5", /a single quote is not closed/],
  ["FROM a\nENV x=${y\n", "2:7", /a substitution is not closed/],
  ["FROM a\nENV x=${y^z}\n", "2:7", /the modifier "\^" of \$\{y…\} is not known/],
  ["FROM a\nENV x=${y:#z}\n", "2:7", /the modifier ":#"/],
  ["FROM a\nENV x=${y/z}\n", "2:7", /\$\{y\/pattern\/replacement\} is right/],
  ['FROM a\nENV x="${y:?must be there}"\n', "2:7", /y: must be there/],
  ["FROM a\nENV x=${y?}\n", "2:7", /y: is not set/],
  ["FROM a\nARG\n", "2:1", /ARG needs an argument/],
  ["FROM a\nARG =x\n", "2:5", /has no name/],
  ["FROM a\nEXPOSE 80 99999\n", "2:11", /ports are numbers of 1 to 65535/],
  ["FROM a\nEXPOSE 80/quic\n", "2:8", /the protocol "quic" is not known/],
  ["FROM a\nEXPOSE 90-80\n", "2:8", /the range has nothing in it/],
  ["FROM a\nEXPOSE 80:80x\n", "2:8", /it is no port/],
  ["FROM a\nEXPOSE x:80\n", "2:8", /it is no port/],
  ["FROM a\nEXPOSE 1.2.3:80:80\n", "2:8", /"1.2.3" is no address/],
  ["FROM a\nEXPOSE 1-2-3:80\n", "2:8", /"1-2-3" is no port of the host/],
  ["# check=error=true\nFROM a\nEXPOSE 80:80\n", "3:8", /ExposeInvalidFormat, which is an error here/],
  ["FROM a\nCOPY --from=b c d\nFROM e AS B\n", "2:1", /the stage "b" comes after this one/],
  ["FROM a\nRUN --mount=from=b,target=/m x\nFROM e AS b\n", "2:1", /the stage "b" comes after this one/],
  ['FROM a\nCOPY --chown="1 a b\n', "2:14", /a quote is not closed/],
  ["FROM a\nRUN --mount=type=$x,target=/x y\n", "2:18", /the mount type "" is not known/],
  ["FROM a\nCOPY <<'a b' /d/\n1\na b\n", "2:6", /a single quote is not closed/],
  ["FROM a\nSTOPSIGNAL SIGFOO\n", "2:12", /invalid signal "SIGFOO"/],
  ["FROM a\nSHELL sh\n", "2:7", /SHELL needs a JSON array/],
  ['FROM a\nVOLUME ["/a", 3]\n', "2:8", /3 is no string: an array has strings/],
  ['FROM a\nCMD ["/a", null]\n', "2:5", /null is no string/],
  ['FROM a\nCOPY ["a", ["b"]]\n', "2:6", /\["b"\] is no string/],
  ["FROM a\nRUN []\n", "2:5", /RUN \[\] has no command/],
  ["FROM a\nCOPY --from= a b\n", "2:1", /from= is empty: a stage or an image is right/],
  ["FROM a\nRUN --mount=from=,target=/m x\n", "2:1", /from= is empty/],
  ["FROM a\nCOPY --from=1 a b\n", "2:1", /there is no stage 1 before this one, which is stage 0/],
  ["FROM a\nUSER $x\n", "2:6", /nothing is left/],
  ["FROM a\nHEALTHCHECK --interval=1x CMD y\n", "2:24", /a duration such as 30s/],
  ["FROM a\nHEALTHCHECK --start-intervall=1s CMD y\n", "2:13", /did you mean --start-interval\?/],
  ["FROM a\nHEALTHCHECK curl x\n", "2:13", /HEALTHCHECK \[FLAGS\] CMD … or HEALTHCHECK NONE is right/],
  ["FROM a\nHEALTHCHECK NONE x\n", "2:18", /takes no arguments/],
  ["FROM a\nONBUILD ONBUILD RUN x\n", "2:9", /ONBUILD ONBUILD is not allowed/],
  ["FROM a\nONBUILD FROM x\n", "2:9", /ONBUILD FROM is not allowed/],
  ["FROM a\nONBUILD MAINTAINER x\n", "2:9", /ONBUILD MAINTAINER is not allowed/],
  ["FROM a\nONBUILD COPY x\n", "2:14", /needs a source and a destination/],
  ["FROM a\nRUN --mount=type=cach,target=/x y\n", "2:18", /the mount type "cach" is not known/],
  ["FROM a\nRUN --mount=type=cache y\n", "2:13", /a cache mount needs a target/],
  ["FROM a\nRUN --mount=type=cache,targt=/x y\n", "2:30", /did you mean target\?/],
  ["FROM a\nRUN --mount=type=cache,target=/x,sharing=some y\n", "2:42", /shared, private or locked is right/],
  ["FROM a\nRUN --mount=type=cache,target=/ y\n", "2:13", /a mount cannot be on \//],
  ["FROM a\nRUN --mount=type=ssh,sharing=locked y\n", "2:30", /a ssh mount has no option "sharing"/],
  ["FROM a\nRUN --mount=type=ssh,mode=9 y\n", "2:27", /an octal number such as 0755 is right/],
  ["FROM a\nCOPY --chmod=10000 x y\n", "2:14", /--chmod=10000: octal digits such as 0644/],
  ["FROM a\nCOPY --chmod=u+q x y\n", "2:14", /--chmod=u\+q: octal digits such as 0644/],
  ["FROM a\nADD --checksum=md5:1 http://h.example/x y\n", "2:16", /sha256: and 64 digits/],
  ["FROM a\nHEALTHCHECK --interval=100us CMD y\n", "2:24", /at least 1ms/],
  ["# check=skp=all\nFROM a\n", "1:1", /"skp=all" is not known: skip=RULE/],
  ["# check=error=true\nFROM a\nCMD x\nCMD y\n", "3:1", /MultipleInstructionsDisallowed, which is an error here/],
  ["FROM a\nRUN --network=some y\n", "2:15", /default, none or host is right/],
  ["FROM a\nRUN --security=insecure y\n", "2:16", /only "sandbox" is there/],
  ["FROM a\nWORKDIR --x=1 /y\n", "2:9", /WORKDIR has no flags/],
  ["FROM a\rRUN x\r", "1:7", /a carriage return without a line feed/],
  ["# escape=x\nFROM a\n", "1:1", /invalid escape character "x"/],
  ["# escape=`\n# escape=`\nFROM a\n", "2:1", /the directive "escape" is given twice/],
];

test.each(REFUSALS)("%j is refused at %s", (text, place, words) => {
  const said = refusal(text);
  expect(said.slice(0, "Dockerfile:".length + place.length + 1)).toBe(`Dockerfile:${place}:`);
  expect(said).toMatch(words);
  expect(said).not.toContain("\n");
});
