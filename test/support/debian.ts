/**
 * Trees of Debian, made of its packages once and kept: a test that needs one takes minutes the first time and none later.
 *
 *     const reason = whyNoDebian() ?? cannotRun();
 *     describe.skipIf(reason !== null)(`a database (${reason ?? ""})`, () => {
 *       beforeAll(async () => {
 *         archive = await debianArchive(POSTGRES);            // the path of a tar archive
 *         tsrunc("image", "import", archive, "debian");      // or: tar x, tsrunc image import --change …
 *       }, DEBIAN_TIMEOUT);
 *     });
 *
 * They are kept in `build/debian`, or where `$DEBIAN_CACHE` says; processes that want one at a time wait for each other.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

/** Milliseconds that a hook which calls {@link debianArchive} may take: packages come from far away. */
export const DEBIAN_TIMEOUT = 20 * 60_000;

/** What a tree is made of. */
export interface DebianTree {
  suite: "bookworm" | "trixie";
  packages: readonly string[];
  /** Shell patterns of files that dpkg is not to unpack. */
  without?: readonly string[];
  /** A shell command when the essential packages are there, and before the others; `$1` is the tree. */
  before?: string;
}

/** The least that apt works in. */
export const BOOKWORM: DebianTree = { suite: "bookworm", packages: [] };
export const TRIXIE: DebianTree = { suite: "trixie", packages: [] };

/**
 * PostgreSQL 15, no cluster made yet; its programs are in {@link POSTGRES_BIN}, and the user `postgres` has the home
 * `/var/lib/postgresql`. Without LLVM, which is half of it: PostgreSQL then compiles no queries.
 */
export const POSTGRES: DebianTree = {
  suite: "bookworm",
  packages: ["postgresql"],
  without: ["/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*"],
  before:
    'mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',
};
export const POSTGRES_BIN = "/usr/lib/postgresql/15/bin";

/**
 * An image of {@link POSTGRES}, where that has been imported as `debian-postgres`: `tsrunc image build -t postgres -` has this on stdin,
 * with a tar of `Dockerfile` alone, or from a directory. It makes the database at its first start, in the volume, without a
 * password; the server listens on the socket in `/tmp` alone: `psql -h /tmp -U postgres`.
 */
export const POSTGRES_DOCKERFILE = `FROM debian-postgres
ENV PATH=${POSTGRES_BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data LC_ALL=C.UTF-8
RUN mkdir -p "$PGDATA" && chown postgres:postgres "$PGDATA" && chmod 0700 "$PGDATA"
VOLUME /var/lib/postgresql/data
USER postgres
STOPSIGNAL INT
ENTRYPOINT ["/bin/sh", "-c", "test -s $PGDATA/PG_VERSION || initdb --no-sync -A trust >/dev/null || exit; exec postgres -c listen_addresses= -c unix_socket_directories=/tmp \\"$@\\"", "postgres"]
CMD ["-c", "shared_buffers=16MB"]
`;

/** What nobody reads in a test. */
const DOCUMENTS = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*"];

/** Why no tree can be made here, nor is one kept; `null` where it can, as far as one knows without trying. */
export function whyNoDebian(...trees: readonly DebianTree[]): string | null {
  if (trees.length > 0 && trees.every((tree) => existsSync(pathOf(tree)))) return null;
  if (process.geteuid?.() !== 0) return "needs root, to make a tree of Debian";
  for (const tool of ["mmdebstrap", "flock"]) {
    if (spawnSync(tool, ["--version"]).error !== undefined) return `needs ${tool}, to make a tree of Debian`;
  }
  return null;
}

/** Thrown where Debian's packages cannot be had: a reason to skip, not to fail. */
export class NoDebianError extends Error {
  override readonly name = "NoDebianError";
}

/**
 * A tar archive of a tree; `$DEBIAN_MIRROR` replaces mmdebstrap's mirror.
 * @returns its absolute path, which is not to be changed
 * @throws {NoDebianError} when it could not be made, with the last that mmdebstrap said
 */
export async function debianArchive(tree: DebianTree): Promise<string> {
  const path = pathOf(tree);
  if (existsSync(path)) return path;
  mkdirSync(directory(), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  const patterns = [...DOCUMENTS, ...(tree.without ?? [])];
  const mmdebstrap = [
    ...["mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar"],
    ...["--aptopt=APT::Install-Recommends false", "--aptopt=Acquire::Retries 3"],
    ...patterns.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...(tree.before === undefined ? [] : [`--essential-hook=${tree.before}`]),
    ...(tree.packages.length === 0 ? [] : [`--include=${tree.packages.join(",")}`]),
    tree.suite,
    temporary,
    ...(process.env.DEBIAN_MIRROR ? [process.env.DEBIAN_MIRROR] : []),
  ];
  // Whoever waited finds it made.
  const script = 'path=$1 new=$2; shift 2; [ -e "$path" ] || { "$@" && mv "$new" "$path"; }';
  const args = [`${path}.lock`, "sh", "-c", script, "sh", path, temporary, ...mmdebstrap];
  const { code, stderr } = await run("flock", args);
  rmSync(temporary, { force: true });
  if (existsSync(path)) return path;
  const last = stderr.trimEnd().split("\n").slice(-3).join("; ");
  throw new NoDebianError(`no tree of Debian: mmdebstrap: exit code ${code}: ${last}`);
}

function directory(): string {
  return resolve(process.env.DEBIAN_CACHE ?? "build/debian");
}

function pathOf(tree: DebianTree): string {
  const digest = createHash("sha256").update(JSON.stringify(tree)).digest("hex").slice(0, 12);
  return join(directory(), `${[tree.suite, ...tree.packages].join("-").slice(0, 60)}-${digest}.tar`);
}

function run(program: string, args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  return new Promise((settle, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4096);
    });
    child.on("error", reject);
    child.on("close", (code) => settle({ code, stderr }));
  });
}
