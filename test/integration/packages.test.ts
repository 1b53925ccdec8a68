/**
 * The packages of `make package`, each installed into a clean tree of Debian, where containers are run with what it brought. `make test-packages`
 * makes them first.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

describe.each(Object.entries(TREES))("in a clean tree of Debian: %s", (_, wanted) => {
  const reason = cannotRun() ?? missing ?? tools ?? whyNoDebian(wanted);
  describe.skipIf(reason !== null)(`(${reason ?? ""})`, () => {
    let work: string;
    let tree: string;
    let noDebian: string | null = null;

    beforeAll(async () => {
      work = mkdtempSync(join(tmpdir(), "tsrunc-packages-"));
      tree = join(work, "tree");
      try {
        const source = await debianArchive(wanted);
        mkdirSync(tree);
        execFileSync("tar", ["-x", "-p", "--numeric-owner", "-f", source, "-C", tree]);
        mkdirSync(join(tree, "rootfs"));
        makeRootfs(join(tree, "rootfs"));
      } catch (error) {
        if (!(error instanceof NoDebianError)) throw error;
        noDebian = error.message;
      }
    }, DEBIAN_TIMEOUT);
    afterAll(() => rmSync(work, { recursive: true, force: true }));

    /** Runs a script by sh in the tree, as its root, with mounts that are gone with it. */
    function inTree(script: string, executable = "") {
      const enter = `mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /sys sys &&
        mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs var/lib/tsrunc && exec chroot . sh -c "$2"`;
      mkdirSync(join(tree, "var/lib/tsrunc"), { recursive: true });
      const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
      const env = { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", T: executable, LC_ALL: "C" };
      return spawnSync("unshare", [...namespaces, "sh", "-c", enter, "sh", tree, script], {
        ...{ encoding: "utf8", env: { ...env, DEBIAN_FRONTEND: "noninteractive" }, timeout: 280_000 },
      });
    }

    function expectUse(executable: string): void {
      const { stdout, stderr, status } = inTree(USE, executable);
      expect({ stdout, stderr, status }).toEqual({ stdout: SEEN, stderr: "", status: 0 });
    }

    test("the Debian package is installed by apt, used, and removed again", (context) => {
      if (noDebian !== null) return context.skip(noDebian);
      copyFileSync(join(PACKAGES, debian), join(tree, "root/tsrunc.deb"));
      const installed = inTree(
        "apt-get install --no-install-recommends --yes --quiet /root/tsrunc.deb && dpkg --verify tsrunc",
      );
      expect(installed, installed.stderr).toMatchObject({ status: 0 });
      expect(inTree("tsrunc --version").stdout).toMatch(/^tsrunc version \d/);
      expectUse("tsrunc");
      // The one for processors that have less.
      expectUse("/usr/lib/tsrunc/tsrunc-plain");
      expect(inTree("dpkg --purge tsrunc").status).toBe(0);
      const left = inTree(
        "find / -xdev -name '*tsrunc*' ! -path '/root/*' ! -path '/var/lib/tsrunc' ! -path '/var/log/*'",
      );
      expect(left.stdout).toBe("");
    }, 600_000);

    test("the archive is unpacked below a prefix, and used", (context) => {
      if (noDebian !== null) return context.skip(noDebian);
      copyFileSync(join(PACKAGES, archive), join(tree, "root/tsrunc.tar.gz"));
      const unpack = "tar xzf /root/tsrunc.tar.gz -C /usr/local --strip-components=1 --no-same-owner";
      expect(inTree(unpack)).toMatchObject({ status: 0, stderr: "" });
      expectUse("tsrunc");
      rmSync(join(tree, "usr/local/lib/tsrunc"), { recursive: true });
      rmSync(join(tree, "usr/local/bin/tsrunc"));
    }, 600_000);

    test("npm's packages are installed, and used by the executable's own path, and by Node where there is one", (context) => {
      if (noDebian !== null) return context.skip(noDebian);
      const project = join(tree, "srv/project");
      mkdirSync(project);
      writeFileSync(join(project, "package.json"), '{ "name": "caller", "version": "1.0.0" }\n');
      const install = ["install", "--offline", "--no-audit", "--no-fund", "--cache", join(work, "cache")];
      const paths = npm.map((name) => join(PACKAGES, name));
      execFileSync("npm", [...install, ...paths], { cwd: project, stdio: "pipe" });
      execFileSync("chown", ["-R", "0:0", project]);
      expectUse(`/srv/project/node_modules/@tsrunc/linux-${process.arch}/lib/tsrunc`);
      if (wanted.packages.includes("nodejs")) expectUse("/srv/project/node_modules/.bin/tsrunc");
    }, 600_000);
  });
});
