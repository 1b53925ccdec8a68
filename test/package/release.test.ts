/** The packages of a small tree in place of what `make install` makes: what is in them, and that they are the same each time. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bom, bundledPackages } from "../../package/components.ts";
import { makeRelease } from "../../package/release.ts";
import { makeDirectories, put, sha256 } from "../../package/tree.ts";

const tools = ["dpkg-deb", "npm", "tar", "getconf"];
const missing = tools.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
const TIME = 1_700_000_000;
const cpu = process.arch === "arm64" ? "arm64" : "x64";
const architecture = { x64: "amd64", arm64: "arm64" }[cpu];
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

const executables = ["tsrunc", "tsrunc-engine", "tsrunc-plain"];

describe.skipIf(missing.length > 0)(`packages (${missing.length > 0 ? `needs ${missing.join(", ")}` : ""})`, () => {
  let work: string;
  let output: string;
  let files: string[];
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: "utf8", cwd: output });
  const archive = `tsrunc-${version}-linux-${cpu}`;
  const debian = `tsrunc_${version}_${architecture}.deb`;

  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "tsrunc-package-"));
    const stage = join(work, "usr");
    for (const name of executables) put(join(stage, "lib/tsrunc", name), `the file ${name}\n`, 0o755);
    put(join(stage, "lib/tsrunc/koffi.node"), "the addon\n");
    put(join(stage, "share/man/man1/tsrunc.1"), ".TH TSRUNC 1\n");
    makeDirectories(join(stage, "bin"));
    symlinkSync("../lib/tsrunc/tsrunc", join(stage, "bin/tsrunc"));
    const metafile = join(work, "modules.json");
    const inputs = { "node_modules/pino/pino.js": {}, "build/commander/index.js": {}, "src/main.ts": {} };
    put(metafile, JSON.stringify({ inputs }));
    output = join(work, "output");
    files = makeRelease(resolve("."), stage, metafile, output, TIME);
    makeRelease(resolve("."), stage, metafile, join(work, "again"), TIME);
  }, 120_000);
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test("are all there, with sums that are right, and nothing else", () => {
    const npm = [`tsrunc-${version}.tgz`, `tsrunc-linux-${cpu}-${version}.tgz`];
    expect(files.toSorted()).toEqual(["SHA256SUMS", "sbom.cdx.json", `${archive}.tar.gz`, debian, ...npm].sort());
    expect(run("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")).toBe("");
    expect(run("ls").trim().split("\n").sort()).toEqual(files.toSorted());
  });

  test("are the same, byte by byte, of the same tree", () => {
    for (const file of files) expect(sha256(join(work, "again", file)), file).toBe(sha256(join(output, file)));
  });

  test("the Debian package has root's files where they belong, and says what it needs", () => {
    const list = run("dpkg-deb", "--contents", debian).trim().split("\n");
    for (const name of executables) expect(list.join("\n")).toMatch(`./usr/lib/tsrunc/${name}`);
    expect(
      list.filter((line) => line.includes("/usr/lib/tsrunc/tsrunc")).every((line) => /^-rwxr-xr-x /.test(line)),
    ).toBe(true);
    expect(list.filter((line) => !/^\S+ root\/root /.test(line))).toEqual([]);
    expect(list.join("\n")).toContain("./usr/bin/tsrunc -> ../lib/tsrunc/tsrunc");
    for (const name of ["examples/containers.conf", "examples/containerd.toml", "examples/docker-daemon.json"]) {
      expect(list.join("\n")).toContain(`./usr/share/doc/tsrunc/${name}`);
    }
    expect(list.join("\n")).toContain("./usr/share/man/man1/tsrunc.1.gz");
    expect(list.join("\n")).not.toMatch(/tsrunc\.1$/m);
    const field = (name: string) => run("dpkg-deb", "--field", debian, name).trim();
    expect(field("Architecture")).toBe(architecture);
    expect(field("Depends")).toMatch(/libc6 \(>= 2\.34\).*libseccomp2.*libstdc\+\+6/);
    expect(field("Recommends")).toBe("uidmap");
    expect(field("Suggests")).toMatch(/criu.*passt/);
    expect(run("dpkg-deb", "--ctrl-tarfile", debian)).toContain("postinst");
  });

  test("the Debian package's postinst is a script that sh takes, and leaves alone what is not there", () => {
    const control = join(work, "control");
    execFileSync("dpkg-deb", ["--control", join(output, debian), control]);
    expect(spawnSync("sh", ["-n", join(control, "postinst")]).status).toBe(0);
    expect(spawnSync("sh", [join(control, "postinst"), "abort-upgrade"]).status).toBe(0);
  });

  test("the archive is one directory, for any prefix", () => {
    const list = run("tar", "tzvf", `${archive}.tar.gz`).trim().split("\n");
    const names = list.map((line) => line.split(/\s+/)[5] ?? "");
    expect(names.filter((name) => !name.startsWith(`${archive}/`))).toEqual([]);
    expect(names).toContain(`${archive}/lib/tsrunc/tsrunc-plain`);
    expect(names).toContain(`${archive}/share/doc/tsrunc/THIRD-PARTY-LICENSES`);
    expect(list.filter((line) => !/^\S+ 0\/0 /.test(line))).toEqual([]);
  });

  test("the bill of materials and the licences have what is bundled, and nothing that only builds", () => {
    const bom: Bom = JSON.parse(readFileSync(join(output, "sbom.cdx.json"), "utf8"));
    const names = bom.components.map(({ name }) => name);
    expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.5", metadata: { component: { version } } });
    expect(names).toEqual(expect.arrayContaining(["commander", "koffi", `@koromix/koffi-linux-${cpu}`, "pino"]));
    expect(names.some((name) => name.startsWith("@oven/bun-linux-"))).toBe(true);
    expect(names).not.toContain("vitest");
    expect(bom.components.filter(({ licenses }) => !licenses?.length)).toEqual([]);
    const text = run("tar", "xzOf", `${archive}.tar.gz`, `${archive}/share/doc/tsrunc/THIRD-PARTY-LICENSES`);
    for (const { name, version: one } of bom.components) expect(text).toContain(`${name} ${one} (`);
    for (const title of ["JavaScriptCore", "GNU LIBRARY GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE"]) {
      expect(text).toMatch(new RegExp(title, "i"));
    }
  });

  test("npm installs the executable with the package, and it is called with what it is given", () => {
    const project = join(work, "project");
    put(join(project, "package.json"), '{ "name": "caller", "version": "1.0.0" }\n');
    const packages = [`tsrunc-${version}.tgz`, `tsrunc-linux-${cpu}-${version}.tgz`].map((file) => join(output, file));
    execFileSync(
      "npm",
      ["install", "--offline", "--no-audit", "--no-fund", "--cache", join(work, "cache"), ...packages],
      {
        cwd: project,
        stdio: "pipe",
      },
    );
    const installed = join(project, `node_modules/@tsrunc/linux-${cpu}/lib/tsrunc`);
    put(installed, '#!/bin/sh\necho "args: $*"; kill -0 $$; exit 42\n', 0o755);
    const call = () =>
      spawnSync("npm", ["exec", "--offline", "--", "tsrunc", "run", "--bundle", "x y"], {
        cwd: project,
        encoding: "utf8",
      });
    expect(call()).toMatchObject({ status: 42, stdout: "args: run --bundle x y\n" });
    rmSync(join(project, "node_modules/@tsrunc"), { recursive: true });
    const { status, stderr } = call();
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^tsrunc: @tsrunc/linux-${cpu} is not installed: .*--omit=optional\n$`));
  }, 60_000);
});

test("what is bundled is told by the bundler's own list", () => {
  const inputs = {
    "node_modules/@pinojs/redact/index.js": {},
    "node_modules/tar-stream/pack.js": {},
    "build/commander/lib/command.js": {},
    "src/build/node.ts": {},
  };
  expect([...bundledPackages({ inputs }, "arm64")].sort()).toEqual(
    [
      "@koromix/koffi-linux-arm64",
      "@oven/bun-linux-aarch64",
      "@pinojs/redact",
      "commander",
      "koffi",
      "tar-stream",
    ].sort(),
  );
});
