/** The parsers of texts that are fed with mutations, each with what it is to begin with. */
import { parseSubCgroups } from "../../src/cgroup/sub-cgroups.ts";
import { parseValue } from "../../src/cgroup/systemd/annotations.ts";
import { toOutput } from "../../src/cli/image-build-options.ts";
import { parseCpuList } from "../../src/config/cpu-list.ts";
import { parseMountOptions } from "../../src/config/mount-options.ts";
import { parseDockerfile } from "../../src/image/build/language/parse.ts";
import { parseModeChange } from "../../src/image/build/plan/mode-change.ts";
import { parseMemory, parseTmpfs, parseVolume } from "../../src/image/bundle/options.ts";
import { parseLog } from "../../src/image/containers/log-format.ts";
import { parsePublish } from "../../src/image/containers/publish.ts";
import { parsePaxRecords } from "../../src/image/layer/pax.ts";
import { parseReference } from "../../src/image/reference/reference.ts";
import { parseChallenges } from "../../src/image/registry/challenge.ts";
import { parseImageConfig, parseRoot } from "../../src/image/store/parse-documents.ts";
import { parsePlatform } from "../../src/image/store/platform.ts";
import { parseNamedMount } from "../../src/image/volumes/volume.ts";
import { parseIdmapOption } from "../../src/plan/idmap-option.ts";
import { normalize } from "../../src/sys/path-names.ts";
import { parseSignal } from "../../src/sys/signal.ts";

interface FuzzedParser {
  parse(text: string): unknown;
  seeds: readonly string[];
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const digest = `sha256:${"0".repeat(64)}`;
const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 2 };

export const parsers = {
  reference: {
    parse: parseReference,
    seeds: [`registry.example:5000/a/b:tag@${digest}`, "alpine", "a/b:1"],
  },
  "mount-options": {
    parse: (text) => parseMountOptions(text.split(",")),
    seeds: ["rbind,ro,nosuid,rprivate", "mode=755,size=64k,idmap=uids=0-1-2#3-4-5", "ratime,bind,remount"],
  },
  "cpu-list": { parse: parseCpuList, seeds: ["0-3,7", "1"] },
  idmap: {
    parse: (text) => parseIdmapOption(text, { uid: [], gid: [] }),
    seeds: ["uids=0-1000-10#20-3000-5;gids=@0-1-2", "uids=1-2-3"],
  },
  path: { parse: normalize, seeds: ["/a/../b//c/./d", "../x"] },
  pax: {
    parse: (text) => parsePaxRecords(bytes(text)),
    seeds: ["20 path=some/file/x\n18 mtime=123.456\n", "6 a=b\n"],
  },
  signal: { parse: parseSignal, seeds: ["SIGTERM", "9", "RTMIN+3"] },
  "sub-cgroups": { parse: (text) => parseSubCgroups(text.split(" ")), seeds: ["memory,cpu:a/b freezer:/x", "/"] },
  "systemd-value": {
    parse: parseValue,
    seeds: ["'a\\n\\u0041'", "[('a', uint64 5), ('b', 7)]", "true", "@as []", "1.5e3"],
  },
  dockerfile: {
    parse: (text) => parseDockerfile(text, "Dockerfile"),
    seeds: [
      "# escape=`\nARG A=1\nFROM a:$A AS b\nRUN --mount=type=cache,target=/x echo 1 && \\\n  echo 2\nCOPY --from=b --chmod=u+x a /b\n",
      'FROM x\nENV A=b C="d e"\nCMD ["a", "b"]\nHEALTHCHECK --interval=1m CMD x\nONBUILD RUN y\nRUN <<E\nx\nE\nEXPOSE 80/tcp\n',
    ],
  },
  "mode-change": { parse: parseModeChange, seeds: ["u+x,go-w", "0755", "a=rX"] },
  output: { parse: toOutput, seeds: ["type=oci,dest=x.tar", "-", "dir"] },
  memory: { parse: (text: string) => parseMemory("--memory", text), seeds: ["512m", "1.5g", "1024"] },
  tmpfs: { parse: parseTmpfs, seeds: ["/t:size=1m,mode=1777", "/t"] },
  volume: { parse: parseVolume, seeds: ["/a:/b:ro,z", "/a:/b"] },
  mount: { parse: parseNamedMount, seeds: ["name:/a:ro", "name:/a"] },
  publish: { parse: parsePublish, seeds: ["127.0.0.1:8080:80/tcp", "[::1]:53:53/udp", "80"] },
  platform: { parse: parsePlatform, seeds: ["linux/arm64/v8", "linux/amd64"] },
  challenge: {
    parse: parseChallenges,
    seeds: ['Bearer realm="https://a/b",service="c",scope="d:e:f"', "Basic realm=x, Bearer a=b"],
  },
  log: {
    parse: (text) => parseLog(bytes(text)),
    seeds: ["2026-01-02T03:04:05.000000006Z stdout F text\n2026-01-02T03:04:05Z stderr P more\n"],
  },
  manifest: {
    parse: (text) => parseRoot(bytes(text), undefined, "manifest"),
    seeds: [
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        config: descriptor,
        layers: [descriptor],
      }),
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ ...descriptor, platform: { os: "linux", architecture: "amd64" } }],
      }),
    ],
  },
  "image-config": {
    parse: (text) => parseImageConfig(bytes(text), "config"),
    seeds: [
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        config: { Env: ["A=b"], Entrypoint: ["x"], ExposedPorts: { "80/tcp": {} }, User: "1:2", WorkingDir: "/x" },
        rootfs: { type: "layers", diff_ids: [digest] },
        history: [{ created_by: "x", empty_layer: true }],
      }),
    ],
  },
} as const satisfies Record<string, FuzzedParser>;

export type ParserName = keyof typeof parsers;
