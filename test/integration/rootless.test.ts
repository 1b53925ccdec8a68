/** Images and containers of an ordinary user: built, run by name, stopped and removed, with the user's own ranges of ids. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { whyNotBuild } from "./build/support.ts";

const UID_FILES = ["/etc/subuid", "/etc/subgid"];
const why = whyNotRootless();
let user: OrdinaryUser;

function whyNotRootless(): string | null {
  const missing = ["useradd", "userdel", "newuidmap", "newgidmap", "setpriv"].find(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0,
  );
  return whyNotBuild() ?? (missing === undefined ? null : `${missing} is not installed`);
}

/** Why pasta cannot connect an ordinary user's container here. */
function whyNotPasta(): string | null {
  if (spawnSync("pasta", ["--version"]).error !== undefined) return "pasta is not installed";
  if (!existsSync("/dev/net/tun")) return "there is no /dev/net/tun";
  return (statSync("/dev/net/tun").mode & 0o006) === 0o006 ? null : "ordinary users may not open /dev/net/tun";
}

/** A user of the test's own, with a home directory, and the executable where that user may read it. */
class OrdinaryUser implements Disposable {
  readonly name = `tsrunc-test-${process.pid}`;
  readonly path = mkdtempSync("/tmp/tsrunc-rootless-");
  readonly uid: number;
  readonly #gid: number;

  constructor() {
    chmodSync(this.path, 0o755);
    execFileSync("useradd", ["--home-dir", join(this.path, "home"), "--create-home", "--shell", "/bin/sh", this.name]);
    const id = (flag: string) => Number(execFileSync("id", [flag, this.name], { encoding: "utf8" }));
    [this.uid, this.#gid] = [id("-u"), id("-g")];
    const tsrunc = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");
    cpSync(resolve(tsrunc, ".."), join(this.path, "dist"), { recursive: true });
    const base = join(this.path, "base");
    for (const name of ["bin", "etc", "proc", "dev", "sys", "data", "tmp"])
      mkdirSync(join(base, name), { recursive: true });
    cpSync(resolve("build/busybox"), join(base, "bin/busybox"));
    execFileSync(join(base, "bin/busybox"), ["--install", "-s", join(base, "bin")]);
    for (const name of readdirSync(join(base, "bin")).filter((one) => one !== "busybox")) {
      rmSync(join(base, "bin", name));
      execFileSync("ln", ["-s", "busybox", join(base, "bin", name)]);
    }
    writeFileSync(join(base, "etc/passwd"), "root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n");
    writeFileSync(join(base, "etc/group"), "root:x:0:\napp:x:1000:\n");
    writeFileSync(join(base, "data/seed"), "seed\n");
    chownSync(join(base, "data/seed"), 1000, 1000);
    mkdirSync(join(this.path, "home/run"));
    chownSync(join(this.path, "home/run"), this.uid, this.#gid);
  }

  get #ids(): string[] {
    return ["--reuid", `${this.uid}`, "--regid", `${this.#gid}`, "--clear-groups"];
  }

  get #surroundings() {
    const home = join(this.path, "home");
    return {
      cwd: home,
      env: { PATH: process.env["PATH"], HOME: home, XDG_RUNTIME_DIR: join(home, "run"), USER: this.name },
    };
  }

  /** Executes tsrunc as this user. */
  tsrunc(...args: string[]): { code: number | null; stdout: string; stderr: string } {
    const command = [...this.#ids, join(this.path, "dist/tsrunc"), ...args];
    const done = spawnSync("setpriv", command, { ...this.#surroundings, encoding: "utf8", timeout: 120_000 });
    return { code: done.status, stdout: done.stdout, stderr: done.stderr };
  }

  /** Starts tsrunc as this user. @returns its exit code */
  start(...args: string[]): Promise<number | null> {
    const child = spawn("setpriv", [...this.#ids, join(this.path, "dist/tsrunc"), ...args], {
      ...this.#surroundings,
      stdio: "ignore",
    });
    return new Promise((settle) => child.on("close", settle));
  }

  must(...args: string[]): string {
    const { code, stdout, stderr } = this.tsrunc(...args);
    if (code !== 0) throw new Error(`${args.join(" ")}: ${code}: ${stderr}`);
    return stdout.trim();
  }

  /** Builds a Dockerfile of one file. */
  build(name: string, dockerfile: string, ...args: string[]): { code: number | null; stdout: string; stderr: string } {
    const context = mkdtempSync(join(this.path, "context-"));
    chmodSync(context, 0o755);
    writeFileSync(join(context, "Dockerfile"), dockerfile);
    writeFileSync(join(context, "a.txt"), "a\n");
    return this.tsrunc("image", "build", "-t", name, ...args, context);
  }

  /** Processes of this user's and of its ranges that live. */
  processes(): string[] {
    const ranges = execFileSync("sh", ["-c", `grep ^${this.name}: /etc/subuid`], { encoding: "utf8" })
      .trim()
      .split(":");
    const [first, size] = [Number(ranges[1]), Number(ranges[2])];
    return readdirSync("/proc").filter((pid) => {
      try {
        const { uid } = statSync(`/proc/${pid}`);
        const isOurs = /^\d+$/.test(pid) && (uid === this.uid || (uid >= first && uid < first + size));
        return isOurs && !/^\d+ \(.*\) [ZX]/.test(execFileSync("cat", [`/proc/${pid}/stat`], { encoding: "utf8" }));
      } catch {
        return false;
      }
    });
  }

  [Symbol.dispose](): void {
    for (const pid of this.processes()) process.kill(Number(pid), "SIGKILL");
    execFileSync("userdel", [this.name], { stdio: "ignore" });
    rmSync(this.path, { recursive: true, force: true });
  }
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (isTrue()) return;
    await new Promise((settle) => setTimeout(settle, 100));
  }
  throw new Error("it has not come true");
}

beforeAll(() => {
  if (why !== null) return;
  user = new OrdinaryUser();
  user.must("image", "import", "--change", "ENV PATH=/bin", join(user.path, "base"), "localhost/base:1");
}, 120_000);

afterAll(() => user?.[Symbol.dispose](), 60_000);

describe.skipIf(why !== null)(`an ordinary user (${why ?? ""})`, () => {
  test("builds: files have owners of the image's, RUN is root or its USER", () => {
    const { code, stderr } = user.build(
      "localhost/app:1",
      "FROM localhost/base:1\nCOPY --chown=app a.txt /a\nRUN id -u > /id; touch /b; chown 7:8 /b; rm /data/seed\nUSER app\nWORKDIR /w\nRUN id -u > id\n",
    );
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    expect(
      user.must("image", "run", "localhost/app:1", "stat", "-c", "%n %u:%g", "/a", "/b", "/id", "/w/id").split("\n"),
    ).toEqual(["/a 1000:1000", "/b 7:8", "/id 0:0", "/w/id 1000:1000"]);
    expect(user.must("image", "run", "localhost/app:1", "cat", "/id", "/w/id")).toBe("0\n1000");
    expect(user.tsrunc("image", "run", "localhost/app:1", "cat", "/data/seed").code).toBe(1);
    const again = user.build(
      "localhost/app:1",
      "FROM localhost/base:1\nCOPY --chown=app a.txt /a\nRUN id -u > /id; touch /b; chown 7:8 /b; rm /data/seed\n",
    );
    expect(again.stderr.match(/CACHED/g)).toHaveLength(2);
  });

  test("a failed build leaves nothing", () => {
    const { code, stderr } = user.build("localhost/never:1", "FROM localhost/base:1\nRUN exit 7\n");
    expect(code).toBe(1);
    expect(stderr).toMatch(/Dockerfile:2:1: the command ended with exit code 7/);
    const snapshots = join(user.path, "home/.local/share/tsrunc/snapshots");
    for (const place of ["bundles", "active", "tmp"]) expect(readdirSync(join(snapshots, place))).toEqual([]);
  });

  test("has a container by name: in the background, with a volume, stopped, started, removed", async () => {
    const script =
      "trap 'exit 3' TERM; cat /data/seed; echo more >> /data/seed; echo ready; while :; do sleep 0.1; done";
    const { tsrunc } = { tsrunc: (...args: string[]) => user.must(...args) };
    tsrunc(
      "image",
      "run",
      "--detach",
      "--name",
      "one",
      "--volume",
      "kept:/data",
      "localhost/base:1",
      "sh",
      "-c",
      script,
    );
    await waitFor(() => tsrunc("container", "logs", "one").includes("ready"));
    expect(tsrunc("container", "logs", "one")).toBe("seed\nready");
    expect(tsrunc("container", "exec", "one", "id", "-u")).toBe("0");
    expect(tsrunc("container", "exec", "--user", "app", "one", "id", "-u")).toBe("1000");
    expect(tsrunc("exec", "one", "stat", "-c", "%u", "/data/seed")).toBe("1000");
    expect(user.tsrunc("container", "rm", "one").stderr).toContain("one runs: stop it first");
    tsrunc("container", "stop", "one");
    expect(JSON.parse(tsrunc("container", "inspect", "one"))[0]).toMatchObject({ status: "exited", exitCode: 3 });
    tsrunc("container", "start", "one");
    await waitFor(() => tsrunc("container", "logs", "one").endsWith("seed\nmore\nready"));
    expect(user.tsrunc("volume", "rm", "kept").stderr).toContain("belongs to one");
    tsrunc("container", "rm", "--force", "one");
    tsrunc("image", "run", "--rm", "--volume", "kept:/data", "localhost/base:1", "cat", "/data/seed");
    tsrunc("volume", "rm", "kept");
  });

  test("has the users and groups that are mapped, and is told of those that are not", () => {
    const files = [
      "echo big:x:4000000:4000000::/:/bin/sh >> /etc/passwd",
      "echo more:x:2000:app >> /etc/group",
      "echo far:x:4000000:app >> /etc/group",
      "mkdir -m 777 /out",
    ];
    const { code, stderr } = user.build(
      "localhost/users:1",
      `FROM localhost/base:1\nRUN ${files.join("; ")}\nUSER app\nRUN id -G > /out/groups\n`,
    );
    expect(code, stderr).toBe(0);
    expect(user.must("image", "run", "localhost/users:1", "cat", "/out/groups")).toBe("1000 2000");
    const named = user.tsrunc("image", "run", "--detach", "--name", "groups", "localhost/users:1", "sleep", "1000");
    expect(named).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("left out the supplementary groups 4000000"),
    });
    const groups = (...args: string[]) => user.must("container", "exec", ...args, "groups", "id", "-G");
    expect([groups(), groups("--user", "app"), groups("--user", "app:more"), groups("--user", "7:8")]).toEqual([
      "1000 2000",
      "1000 2000",
      "2000",
      "8",
    ]);
    const refusals: [string, RegExp][] = [
      ["big", /the user .*big.*: the user id 4000000 is not mapped in this user namespace, which has 0 to \d+:/],
      ["4000000", /the user id 4000000 is not mapped/],
      ["app:far", /the user .*app:far.*: the group id 4000000 is not mapped/],
      ["app:4000000", /the group id 4000000 is not mapped/],
      ["app:none", /the group .*none.* is not in the image's \/etc\/group/],
    ];
    for (const [name, message] of refusals) {
      for (const args of [
        ["container", "exec", "--user", name, "groups", "id"],
        ["image", "run", "--user", name, "localhost/users:1", "id"],
        ["image", "run", "--user", name, "--name", "never", "localhost/users:1", "id"],
      ]) {
        const { code, stdout, stderr } = user.tsrunc(...args);
        expect({ args, failed: code !== 0, stdout }).toEqual({ args, failed: true, stdout: "" });
        expect(stderr).toMatch(message);
        expect(stderr.trim().split("\n")).toHaveLength(1);
      }
    }
    user.must("container", "rm", "--force", "groups");
    expect(user.must("container", "list", "--format", "json")).toBe("[]");
    for (const [rest, message] of [
      ["USER big\nRUN id\n", /4:1: the user .*big.*: the user id 4000000 is not mapped/],
      ["USER 4000000\nWORKDIR /new\n", /4:1: the user .*4000000.* is not mapped/],
      ["RUN --mount=type=cache,target=/c,uid=4000000 id\n", /3:1: --mount=type=cache: the user id 4000000 is not/],
    ] as const) {
      // Again: what was refused has left nothing that would be taken for what was asked for.
      for (let round = 0; round < 2; round++) {
        const { code, stderr } = user.build("localhost/no:1", `FROM localhost/users:1\nUSER root\n${rest}`);
        expect({ rest, round, code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(message) });
      }
    }
  });

  test("leaves no process behind: what held the namespaces goes with the last container", async () => {
    await waitFor(() => user.processes().length === 0);
  });

  test("has one namespace for containers that commands start at once", async () => {
    const all = ["a", "b", "c"].map((name) =>
      user.start("image", "run", "--detach", "--name", name, "localhost/base:1", "sleep", "1000"),
    );
    expect(await Promise.all(all)).toEqual([0, 0, 0]);
    for (const name of ["a", "b", "c"]) expect(user.must("container", "exec", name, "echo", name)).toBe(name);
    user.must("container", "rm", "--force", "a", "b", "c");
    await waitFor(() => user.processes().length === 0);
  });

  test.skipIf(whyNotPasta() !== null)(`publishes a port (${whyNotPasta() ?? ""})`, async () => {
    const script = "mkdir -p /w; echo page > /w/index.html; exec httpd -f -p 80 -h /w";
    const port = 20000 + (process.pid % 10000);
    user.must(
      "image",
      "run",
      "--detach",
      "--name",
      "web",
      "--publish",
      `127.0.0.1:${port}:80`,
      "localhost/base:1",
      "sh",
      "-c",
      script,
    );
    const page = () =>
      new Promise<string>((settle) => {
        const socket = createConnection(port, "127.0.0.1", () => socket.write("GET /index.html HTTP/1.0\r\n\r\n"));
        let text = "";
        socket.on("data", (chunk) => {
          text += chunk;
        });
        socket.on("error", () => settle(""));
        socket.on("close", () => settle(text));
      });
    let found = "";
    for (let tries = 0; tries < 100 && !found.includes("page"); tries++) {
      found = await page();
      await new Promise((settle) => setTimeout(settle, 100));
    }
    expect(found).toContain("page");
    user.must("container", "rm", "--force", "web");
    await waitFor(() => user.processes().length === 0);
  });

  test("without ranges is told what is missing", () => {
    const own = UID_FILES.map((path) => execFileSync("grep", [`^${user.name}:`, path], { encoding: "utf8" }));
    try {
      for (const path of UID_FILES) execFileSync("sed", ["-i", `/^${user.name}:/d`, path]);
      const { code, stderr } = user.build("localhost/x:1", "FROM scratch\nCOPY a.txt /\n");
      expect(code).toBe(1);
      expect(stderr).toContain(
        "an ordinary user needs a range of ids for this: /etc/subuid and /etc/subgid have no ranges for this user",
      );
    } finally {
      for (const [index, path] of UID_FILES.entries()) appendFileSync(path, own[index] as string);
    }
  });
});
