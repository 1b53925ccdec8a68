/**
 * The packages of `make package`, each installed into a clean tree of Debian, where containers are run with what it brought; and the package of
 * `conformance/`, which runs there against Debian's runc. `make test-packages` makes them first.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  BOOKWORM,
  DEBIAN_TIMEOUT,
  type DebianTree,
  debianArchive,
  NoDebianError,
  TRIXIE,
  whyNoDebian,
} from "../support/debian.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { cannotRun, hasProgram } from "./harness.ts";

const PACKAGES = resolve("build/package");
const files = existsSync(PACKAGES) ? readdirSync(PACKAGES) : [];
const find = (pattern: RegExp) => files.find((name) => pattern.test(name)) ?? "";
const debian = find(/\.deb$/);
const archive = find(/\.tar\.gz$/);
const npm = [find(/^tsrunc-\d[^-]*\.tgz$/), find(/^tsrunc-linux-.*\.tgz$/)];

const TREES: Record<string, DebianTree> = {
  bookworm: BOOKWORM,
  "trixie, with Node": { ...TRIXIE, packages: ["nodejs"] },
};

const missing = [debian, archive, ...npm].includes("") ? "needs build/package: make package" : null;
const tools = ["npm", "unshare", "chroot", "tar"].filter((name) => !hasProgram(name)).map((name) => `needs ${name}`)[0];

/** What a person does first: a bundle by hand, an image, its container, a process more in that. */
const USE = `set -e
cd /root && rm -rf box && mkdir box && cp -a /rootfs box/rootfs
"$T" spec --bundle box
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"echo", "from a bundle"/' box/config.json
"$T" run --bundle box first
"$T" image import --quiet --change 'ENV PATH=/bin' /rootfs demo >/dev/null
"$T" image run --quiet demo sh -c 'echo from an image; exit 7' || echo "exit code $?"
"$T" image run --quiet --detach --name web demo sleep 1000 >/dev/null
"$T" container exec web echo from within
"$T" container rm --force web
`;
const SEEN = "from a bundle\nfrom an image\nexit code 7\nfrom within\nweb\n";

/** A clean tree for the tests of a `describe`. */
class CleanTree {
  readonly #wanted: DebianTree;
  #work = "";
  #noDebian: string | null = null;

  constructor(wanted: DebianTree) {
    this.#wanted = wanted;
    beforeAll(() => this.#make(), DEBIAN_TIMEOUT);
    afterAll(() => rmSync(this.#work, { recursive: true, force: true }));
    beforeEach((context) => {
      if (this.#noDebian !== null) context.skip(this.#noDebian);
    });
  }

  async #make(): Promise<void> {
    this.#work = mkdtempSync(join(tmpdir(), "tsrunc-packages-"));
    try {
      const source = await debianArchive(this.#wanted);
      mkdirSync(this.path(""));
      execFileSync("tar", ["-x", "-p", "--numeric-owner", "-f", source, "-C", this.path("")]);
      mkdirSync(this.path("rootfs"));
      makeRootfs(this.path("rootfs"));
    } catch (error) {
      if (!(error instanceof NoDebianError)) throw error;
      this.#noDebian = error.message;
    }
  }

  /** A path in the tree. */
  path(name: string): string {
    return join(this.#work, "tree", name);
  }

  /** Runs a script by sh in the tree, as its root, with mounts that are gone with it. */
  run(script: string, executable = "") {
    const enter = `mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /sys sys &&
      mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs var/lib/tsrunc && exec chroot . sh -c "$2"`;
    mkdirSync(this.path("var/lib/tsrunc"), { recursive: true });
    const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
    const env = { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", T: executable, LC_ALL: "C" };
    return spawnSync("unshare", [...namespaces, "sh", "-c", enter, "sh", this.path(""), script], {
      ...{ encoding: "utf8", env: { ...env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 580_000 },
    });
  }

  /** Installs npm's packages into a directory, from outside: there need not be npm in the tree. */
  install(directory: string, paths: readonly string[], ...options: string[]): ReturnType<typeof spawnSync> {
    const project = this.path(directory);
    mkdirSync(project);
    writeFileSync(join(project, "package.json"), '{ "name": "caller", "version": "1.0.0" }\n');
    const args = ["install", "--no-audit", "--no-fund", "--cache", join(this.#work, "cache"), ...options, ...paths];
    const done = spawnSync("npm", args, { cwd: project, encoding: "utf8" });
    execFileSync("chown", ["-R", "0:0", project]);
    return done;
  }
}

describe.each(Object.entries(TREES))("in a clean tree of Debian: %s", (_, wanted) => {
  const reason = cannotRun() ?? missing ?? tools ?? whyNoDebian(wanted);
  describe.skipIf(reason !== null)(`(${reason ?? ""})`, () => {
    const tree = new CleanTree(wanted);

    function expectUse(executable: string): void {
      const { stdout, stderr, status } = tree.run(USE, executable);
      expect({ stdout, stderr, status }).toEqual({ stdout: SEEN, stderr: "", status: 0 });
    }

    test("the Debian package is installed by apt, used, and removed again", () => {
      copyFileSync(join(PACKAGES, debian), tree.path("root/tsrunc.deb"));
      const installed = tree.run(
        "apt-get install --no-install-recommends --yes --quiet /root/tsrunc.deb && dpkg --verify tsrunc",
      );
      expect(installed, installed.stderr).toMatchObject({ status: 0 });
      expect(tree.run("tsrunc --version").stdout).toMatch(/^tsrunc version \d/);
      expectUse("tsrunc");
      // The one for processors that have less.
      expectUse("/usr/lib/tsrunc/tsrunc-plain");
      expect(tree.run("dpkg --purge tsrunc").status).toBe(0);
      const left = tree.run(
        "find / -xdev -name '*tsrunc*' ! -path '/root/*' ! -path '/var/lib/tsrunc' ! -path '/var/log/*'",
      );
      expect(left.stdout).toBe("");
    }, 600_000);

    test("the archive is unpacked below a prefix, and used", () => {
      copyFileSync(join(PACKAGES, archive), tree.path("root/tsrunc.tar.gz"));
      const unpack = "tar xzf /root/tsrunc.tar.gz -C /usr/local --strip-components=1 --no-same-owner";
      expect(tree.run(unpack)).toMatchObject({ status: 0, stderr: "" });
      expectUse("tsrunc");
      rmSync(tree.path("usr/local/lib/tsrunc"), { recursive: true });
      rmSync(tree.path("usr/local/bin/tsrunc"));
    }, 600_000);

    test("npm's packages are installed, and used by the executable's own path, and by Node where there is one", () => {
      const paths = npm.map((name) => join(PACKAGES, name));
      expect(tree.install("srv/project", paths, "--offline")).toMatchObject({ status: 0 });
      expectUse(`/srv/project/node_modules/@tsrunc/linux-${process.arch}/lib/tsrunc`);
      if (wanted.packages.includes("nodejs")) expectUse("/srv/project/node_modules/.bin/tsrunc");
    }, 600_000);
  });
});

/** What the conformance suite needs of a machine, and Debian's runc. */
const CONFORMANCE: DebianTree = { ...TRIXIE, packages: ["nodejs", "runc", "busybox-static"] };

const whyNoConformance = cannotRun() ?? missing ?? tools ?? whyNoDebian(CONFORMANCE);

describe.skipIf(whyNoConformance !== null)(`the conformance package (${whyNoConformance ?? ""})`, () => {
  const tree = new CleanTree(CONFORMANCE);
  const suite = "cd /srv/suite && node_modules/.bin/oci-runtime-conformance --runtime runc";

  test("is installed into an empty directory, and runs against Debian's runc", (context) => {
    const pack = [
      "pack",
      "--json",
      "--ignore-scripts",
      "--pack-destination",
      tree.path("root"),
      resolve("conformance"),
    ];
    const [{ filename }] = JSON.parse(
      execFileSync("npm", pack, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
    );
    const installed = tree.install("srv/suite", [tree.path(`root/${filename}`)]);
    const noNetwork = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT)\b/.exec(String(installed.stderr))?.[0];
    if (noNetwork !== undefined) return context.skip(`npm cannot fetch what the suite needs: ${noNetwork}`);
    expect(installed, String(installed.stderr)).toMatchObject({ status: 0 });
    const { stdout, stderr, status } = tree.run(`${suite} features/ config/general runtime/state runtime/kill`);
    // What runc is wrong in by a sentence of the spec stands in docs/conformance.md.
    const failed = [...stdout.matchAll(/^runc: FAILED: (.*)$/gm)].map(([, title = ""]) => title);
    expect({ stderr, others: failed.filter((title) => !/ociVersion|empty key/.test(title)) }).toEqual({
      stderr: "",
      others: [],
    });
    expect(Number(/^runc: (\d+) passed/m.exec(stdout)?.[1])).toBeGreaterThanOrEqual(50);
    expect(status).toBe(failed.length === 0 ? 0 : 1);
  }, 900_000);

  test("tells what is wrong with a runtime that does nothing", () => {
    const { stdout, status } = tree.run(`${suite.replace("runc", "/bin/true")} runtime/state`);
    expect(stdout).not.toMatch(/[1-9]\d* passed/);
    expect(status).toBe(1);
  }, 600_000);
});
