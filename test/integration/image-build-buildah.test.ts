/** Dockerfiles built by tsrunc and by buildah: configurations and trees are equal entry by entry, but for what is named. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CASES, type Case } from "./build/cases.ts";
import { Builder, listing, whyNotBuildah } from "./build/support.ts";

const why = whyNotBuildah();
let builder: Builder;

function storage(): string[] {
  return ["--root", builder.at("buildah"), "--runroot", builder.at("buildah-run"), "--storage-driver", "overlay"];
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 26 });
}

const buildah = (...args: string[]) => run("buildah", [...storage(), ...args]);
/** It mounts images as they are; "buildah from" carries their ONBUILDs out. */
const podman = (...args: string[]) => run("podman", [...storage(), ...args]);

/** Mount points of RUN that buildah leaves in the image; tsrunc removes those that it makes. */
const LEFT_BY_BUILDAH = /^(run|etc\/hostname): 755 0:0 (directory|"")$/;

beforeAll(() => {
  if (why !== null) return;
  builder = new Builder();
  builder.must("save", "--output", builder.at("base.tar"), "localhost/base:1");
  buildah("pull", `oci-archive:${builder.at("base.tar")}`);
  buildah("tag", "localhost/base:1", "localhost/base:1");
});

afterAll(() => {
  if (why !== null) return;
  try {
    buildah("rmi", "--all", "--force");
  } finally {
    builder[Symbol.dispose]();
  }
});

const MEMBERS = [
  "Cmd",
  "Entrypoint",
  "Env",
  "ExposedPorts",
  "Healthcheck",
  "Labels",
  "OnBuild",
  "Shell",
  "StopSignal",
  "User",
  "Volumes",
  "WorkingDir",
];

/** What counts of a configuration; what is empty counts as not there. */
function normalized(
  config: Record<string, unknown>,
  author: unknown,
  leftOut: readonly string[],
): Record<string, unknown> {
  const all = { ...Object.fromEntries(MEMBERS.map((name) => [name, config[name]])), author };
  return Object.fromEntries(
    Object.entries(all).filter(
      ([name, value]) =>
        !leftOut.includes(name) &&
        value !== null &&
        value !== undefined &&
        value !== "" &&
        !(typeof value === "object" && Object.keys(value).length === 0),
    ),
  );
}

function byBuildah({ args = [], name }: Case, context: string): { config: Record<string, unknown>; tree: string[] } {
  const tag = `localhost/case-${CASES.findIndex((one) => one.name === name)}`;
  buildah(
    "bud",
    "--format",
    "docker",
    "--isolation",
    "chroot",
    "--identity-label=false",
    "--layers=false",
    "--no-hosts",
    "--pull=never",
    "-t",
    tag,
    ...args,
    context,
  );
  const { Docker } = JSON.parse(buildah("inspect", "--type", "image", tag));
  const root = podman("image", "mount", tag).trim();
  const tree = listing(root);
  podman("image", "unmount", tag);
  return { config: { ...Docker.config, author: Docker.author }, tree };
}

test.skipIf(why !== null).each(CASES)("$name", (one) => {
  const { dockerfile, files = {}, args = [], differs } = one;
  const context = builder.context({ Dockerfile: dockerfile, ...files });
  const output = `${context}-out`;
  const built = builder.image("build", ["-t", "case:1", "--output", output, ...args, context]);
  expect(built.stderr + built.code).toMatch(/0$/);
  const ours = builder.inspect("case:1");
  const theirs = byBuildah(one, context);
  const config = normalized(ours.config, ours.author, differs?.config ?? []);
  expect(config).toEqual(normalized(theirs.config, theirs.config["author"], differs?.config ?? []));
  const paths = differs?.paths ?? [];
  const kept = (tree: string[]) =>
    tree.filter((line) => !LEFT_BY_BUILDAH.test(line) && !paths.some((path) => line.startsWith(`${path}:`)));
  expect(kept(listing(output))).toEqual(kept(theirs.tree));
  const again = builder.image("build", ["-t", "case:2", ...args, context]);
  const steps = again.stderr.split("\n").filter((line) => /^#\d+ (DONE|CACHED|ERROR)/.test(line));
  expect(steps.filter((line) => !line.endsWith("CACHED"))).toEqual([]);
  expect(again.stdout).toBe(built.stdout);
});
