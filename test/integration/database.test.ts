/**
 * A database's life: a Debian image with PostgreSQL from a Dockerfile, run by name with a volume; stopped, started, removed and made anew on the
 * same volume; killed in the middle of writing, and consistent afterwards.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  DEBIAN_TIMEOUT,
  debianArchive,
  NoDebianError,
  POSTGRES,
  POSTGRES_DOCKERFILE,
  whyNoDebian,
} from "../support/debian.ts";
import { whyNotBuild } from "./build/support.ts";

const reason = whyNotBuild() ?? whyNoDebian(POSTGRES);
const TSRUNC = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");
/** Milliseconds for one test: the machine may be busy. */
const TIMEOUT = 300_000;
let scratch: string;
/** Why Debian's packages cannot be had after all. */
let missing: string | null = null;

function tsrunc(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const done = spawnSync(TSRUNC, ["--root", join(scratch, "run"), ...args], { encoding: "utf8", timeout: TIMEOUT });
  return { code: done.status, stdout: done.stdout.trim(), stderr: done.stderr };
}

function store(): string[] {
  return ["--store", join(scratch, "store")];
}

function must([group, command, ...args]: [string, string, ...string[]]): string {
  const { code, stdout, stderr } = tsrunc(group, command, ...store(), ...args);
  if (code !== 0) throw new Error(`${group} ${command} ${args.join(" ")}: ${code}: ${stderr}`);
  return stdout;
}

const PSQL = ["psql", "-h", "/tmp", "-U", "postgres", "-qAt", "-v", "ON_ERROR_STOP=1", "postgres"];

function sql(name: string, text: string): string {
  return must(["container", "exec", name, ...PSQL, "-c", text]);
}

async function waitFor(what: string, isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    if (isTrue()) return;
    await new Promise((settle) => setTimeout(settle, 100));
  }
  throw new Error(`it has not come true: ${what}`);
}

async function ready(name: string): Promise<void> {
  const answers = () => tsrunc("container", "exec", ...store(), name, ...PSQL, "-c", "select 1").code === 0;
  await waitFor(`${name} answers: ${tsrunc("container", "logs", ...store(), name).stderr}`, answers);
}

function run(name: string): void {
  must(["image", "run", "--quiet", "--detach", "--name", name, "--volume", "pgdata:/var/lib/postgresql/data", "pg:15"]);
}

function stateOf(name: string): { status: string; exitCode: number | null } {
  return JSON.parse(must(["container", "inspect", name]))[0];
}

beforeAll(async () => {
  if (reason !== null) return;
  let archive: string;
  try {
    archive = await debianArchive(POSTGRES);
  } catch (error) {
    if (!(error instanceof NoDebianError)) throw error;
    missing = error.message;
    return;
  }
  scratch = mkdtempSync(join(tmpdir(), "tsrunc-database-"));
  must(["image", "import", "--quiet", archive, "debian-postgres"]);
  const context = join(scratch, "context");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), POSTGRES_DOCKERFILE);
  must(["image", "build", "--quiet", "-t", "pg:15", context]);
}, DEBIAN_TIMEOUT);

afterAll(() => {
  if (scratch === undefined) return;
  for (const name of ["db", "db2"]) tsrunc("container", "rm", ...store(), "--force", name);
  execFileSync("rm", ["-rf", scratch]);
  rmSync(scratch, { recursive: true, force: true });
}, TIMEOUT);

describe.skipIf(reason !== null)(`a database (${reason ?? ""})`, () => {
  test(
    "keeps its data when it is stopped and started, and on its volume when it is removed and made anew",
    async ({ skip }) => {
      if (missing !== null) skip(missing);
      run("db");
      await ready("db");
      sql("db", "create table kept as select generate_series(1, 10000) n; create table written (n int primary key)");
      must(["container", "stop", "--time", "60", "db"]);
      // By the image's STOPSIGNAL, and not killed: it has shut down in an orderly way.
      expect(stateOf("db")).toMatchObject({ status: "exited", exitCode: 0 });
      must(["container", "start", "db"]);
      await ready("db");
      expect(sql("db", "select count(*) from kept")).toBe("10000");
      must(["container", "stop", "--time", "60", "db"]);
      must(["container", "rm", "db"]);
      expect(tsrunc("container", "inspect", ...store(), "db").code).toBe(1);
      expect(must(["volume", "list"])).toContain("pgdata");
      run("db2");
      await ready("db2");
      expect(sql("db2", "select count(*) from kept")).toBe("10000");
    },
    TIMEOUT,
  );

  test(
    "is consistent after a kill -9 in the middle of writing",
    async ({ skip }) => {
      if (missing !== null) skip(missing);
      const writer = spawn(
        TSRUNC,
        ["--root", join(scratch, "run"), "container", "exec", ...store(), "-i", "db2", ...PSQL],
        {
          stdio: ["pipe", "ignore", "ignore"],
        },
      );
      writer.stdin.on("error", () => {});
      const ended = new Promise((settle) => writer.on("close", settle));
      let sent = 0;
      const feed = () => {
        const lines: string[] = [];
        for (let count = 0; count < 500; count++) lines.push(`insert into written values (${++sent});\n`);
        if (writer.exitCode === null) writer.stdin.write(lines.join(""), () => setImmediate(feed));
      };
      feed();
      await waitFor("some rows are written", () => Number(sql("db2", "select count(*) from written")) > 200);
      const before = Number(sql("db2", "select count(*) from written"));
      const { pid } = JSON.parse(must(["container", "inspect", "db2"]))[0] as { pid: number };
      process.kill(pid, "SIGKILL");
      writer.stdin.destroy();
      await ended;
      await waitFor("it is listed as exited", () => stateOf("db2").status === "exited");
      expect(stateOf("db2").exitCode).toBe(137);
      must(["container", "start", "db2"]);
      await ready("db2");
      const [count, last] = sql("db2", "select count(*), max(n) from written").split("|").map(Number) as [
        number,
        number,
      ];
      // Whatever was committed before is there, and nothing in between is missing.
      expect(count).toBeGreaterThanOrEqual(before);
      expect(last).toBe(count);
      sql("db2", "create extension amcheck");
      const check =
        "select count(*) from (select bt_index_check(c.oid, true)::text from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam where a.amname = 'btree' and c.relpersistence = 'p' and i.indisvalid) x";
      expect(Number(sql("db2", check))).toBeGreaterThan(50);
      const { stdout, stderr } = tsrunc("container", "logs", ...store(), "db2");
      expect(stdout + stderr).toMatch(/automatic recovery in progress/);
      must(["container", "rm", "--force", "db2"]);
      must(["volume", "rm", "pgdata"]);
    },
    TIMEOUT,
  );
});
