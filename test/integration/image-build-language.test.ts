// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** Builds: the rarer flags and options, what is kept between builds, and what a killed one leaves. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createConnection, createServer } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tar } from "../support/tar-writer.ts";
import { Builder, type Ran, whyNotBuild } from "./build/support.ts";

const why = whyNotBuild();
const TSRUNC = resolve(process.env["TSRUNC"] ?? "dist/tsrunc");
const hasPasta = spawnSync("sh", ["-c", "command -v pasta >/dev/null && [ -w /dev/net/tun ]"]).status === 0;
let builder: Builder;

beforeAll(() => {
  if (why === null) builder = new Builder();
});
afterAll(() => builder?.[Symbol.dispose]());

function lineOf(tree: readonly string[], path: string): string | undefined {
  return tree.find((line) => line.startsWith(`${path}: `))?.slice(path.length + 2);
}

function pathsOf(tree: readonly string[]): string[] {
  return tree.map((line) => line.split(":")[0] as string);
}

function steps(stderr: string): string[] {
  return stderr.split("\n").flatMap((line) => /^#\d+ (DONE|CACHED|ERROR)/.exec(line)?.[1] ?? []);
}

/** Builds while this process serves something. */
function buildAside(context: string, ...args: string[]): Promise<Ran> {
  const child = spawn(TSRUNC, [
    "--root",
    builder.at("run"),
    "image",
    "build",
    "--store",
    builder.at("store"),
    ...args,
    context,
  ]);
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (chunk: Buffer) => {
      said[name] += chunk;
    });
  return new Promise((settle) => child.on("close", (code) => settle({ code, ...said })));
}

async function waitFor(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (isTrue()) return;
    await new Promise((settle) => setTimeout(settle, 100));
  }
  throw new Error("it has not come true");
}

describe.skipIf(why !== null)(`COPY and ADD (${why ?? ""})`, () => {
  const FILES = {
    "a/package.json": "",
    "a/b/package.json": "",
    "a/b/c/package.json": "",
    "a/b/other": "",
    "package.json": "",
  };

  test("--parents with **: at any depth, with what is on the way", () => {
    expect(pathsOf(builder.tree("FROM scratch\nCOPY --parents ./**/package.json /p/\n", FILES))).toEqual([
      ..."p p/a p/a/b p/a/b/c p/a/b/c/package.json p/a/b/package.json p/a/package.json p/package.json".split(" "),
    ]);
    expect(pathsOf(builder.tree("FROM scratch\nCOPY --parents a/./**/package.json /p/\n", FILES))).toEqual([
      ..."p p/b p/b/c p/b/c/package.json p/b/package.json p/package.json".split(" "),
    ]);
    expect(pathsOf(builder.tree("FROM scratch\nCOPY a/**/package.json /p/\n", FILES))).toEqual(["p", "p/package.json"]);
  });

  test("--parents from a pattern before the pivot", () => {
    const files = { "a/b1/c/d/e/f": "", "a/b2/c/e/g": "", "a/b3": "", "a/x/c/e/h": "" };
    expect(pathsOf(builder.tree("FROM scratch\nCOPY --parents a/b*/./c/**/e /p/\n", files))).toEqual(
      "p p/c p/c/d p/c/d/e p/c/d/e/f p/c/e p/c/e/g".split(" "),
    );
    expect(pathsOf(builder.tree("FROM scratch\nCOPY --parents a/b1/./c a/b2/./c/e/g /p/\n", files))).toEqual(
      "p p/c p/c/d p/c/d/e p/c/d/e/f p/c/e p/c/e/g".split(" "),
    );
  });

  test("--parents: what a pattern before the pivot finds need not have all, and a name alone has to", () => {
    const files = { "s1/y": "", "s1/f": "", "s2/d/x": "" };
    expect(pathsOf(builder.tree("FROM scratch\nCOPY --parents s*/./y s*/*/./x /p/\n", files))).toEqual(
      "p p/x p/y".split(" "),
    );
    for (const source of ["s1/f/./x", "s1/./x"])
      expect(builder.build(`FROM scratch\nCOPY --parents ${source} /p/\n`, files).stderr).toContain(
        `"${source}" is not in the context`,
      );
  });

  test.each<[flags: string, paths: string]>([
    ["--exclude=s/d s", "p p/s p/s/y"],
    ["--exclude=d s", "p p/s p/s/d p/s/d/m p/s/d/t p/s/y"],
    ["--exclude=d/m s/./d", "p p/d p/d/t"],
    ["--exclude=m s/./d", "p p/d p/d/m p/d/t"],
    ["--exclude=**/t s/d/t s/y", "p p/s p/s/y"],
    ["--exclude=s --exclude=!s/d/t s", "p p/s p/s/d p/s/d/t"],
  ])("--exclude with --parents counts from where the kept part begins: %s", (flags, paths) => {
    const files = { "s/d/m": "", "s/d/t": "", "s/y": "" };
    expect(pathsOf(builder.tree(`FROM scratch\nCOPY --parents ${flags} /p/\n`, files))).toEqual(paths.split(" "));
  });

  test("directories and archives that a pattern finds are put together in one place, files are not", () => {
    const files = { "d1/a": "", "d2/b": "", "x1.tar": { archive: "" }, "x2.tar": { archive: "" }, f1: "", f2: "" };
    expect(pathsOf(builder.tree("FROM scratch\nCOPY d* /p\nADD d* /q\n", files))).toEqual(
      "p p/a p/b q q/a q/b".split(" "),
    );
    expect(builder.tree("FROM scratch\nADD x*.tar /p\n", files)).toEqual(
      builder.tree("FROM scratch\nADD x1.tar x2.tar /p/\n", files),
    );
    for (const text of ["COPY f* /p", "COPY f1 f2 /p", "ADD f* /p", "ADD f* d1 /p", "COPY <<a <<b /p\na\nb"])
      expect(builder.build(`FROM scratch\n${text}\n`, files).stderr).toMatch(
        /Dockerfile:2:1: \d sources, so the destination must be a directory: \/p\/ is right/,
      );
  });

  test("several files go into a directory that is there, whether a slash says so or not", () => {
    const files = { d1: "", d2: "", "e/f": "", "e.tar": { archive: "" } };
    const made = "FROM base:1\nRUN mkdir /p && ln -s p /l\n";
    for (const text of ["COPY d* /p", "COPY d1 d2 /p", "ADD d* /p", "COPY d* /l", "WORKDIR /p\nCOPY d1 d2 ../l"])
      expect(pathsOf(builder.tree(`${made}${text}\n`, files)).filter((path) => path.startsWith("p"))).toEqual(
        "p p/d1 p/d2 proc".split(" "),
      );
    // A directory makes it, and so does an archive.
    expect(pathsOf(builder.tree("FROM scratch\nCOPY e d1 /p\n", files))).toEqual("p p/d1 p/f".split(" "));
    expect(pathsOf(builder.tree("FROM scratch\nADD e.tar d1 /p\n", files))).toContain("p/d1");
  });

  test("a new destination is a new directory, whatever the one is whose contents go there", () => {
    const text = [
      "FROM base:1 AS b",
      "RUN mkdir -m 3700 /d && touch /d/f && chown -R 3:4 /d && touch -d @1 /d",
      "FROM scratch",
      "COPY --from=b /d /from/stage",
      "COPY --from=b --chown=5:6 /d /owned",
      "COPY --from=b --chmod=711 /d /moded",
      "COPY d /context",
      "ADD d /added/",
      "COPY top /kept/",
    ].join("\n");
    const context = builder.context({ Dockerfile: text, "d/f": "", "top/d/f": "" });
    for (const path of ["d", "top/d"]) {
      chmodSync(join(context, path), 0o2750);
      utimesSync(join(context, path), 1, 1);
    }
    const output = `${context}-out`;
    expect(builder.image("build", ["-o", output, context]).stderr).not.toContain("ERROR");
    const of = (path: string) => {
      const [mode, owner, seconds] = execFileSync("stat", ["-c", "%a %u:%g %Y", join(output, path)], {
        encoding: "utf8",
      }).split(" ");
      return [mode, owner, Number(seconds) === 1 ? "the source's time" : "now"];
    };
    const paths = ["from", "from/stage", "from/stage/f", "owned", "moded", "context", "added", "kept", "kept/d"];
    expect(Object.fromEntries(paths.map((path) => [path, of(path)]))).toEqual({
      from: ["755", "0:0", "now"],
      "from/stage": ["755", "0:0", "now"],
      "from/stage/f": ["644", "3:4", "now"],
      owned: ["755", "5:6", "now"],
      moded: ["711", "0:0", "now"],
      context: ["755", "0:0", "now"],
      added: ["755", "0:0", "now"],
      kept: ["755", "0:0", "now"],
      "kept/d": ["2750", "0:0", "the source's time"],
    });
  });

  test("an entry of an archive for its root directory may have no name, or be no directory", () => {
    const context = builder.context({ Dockerfile: "FROM scratch\nADD x.tar /p/\n", f: "1" });
    const nameless = ["", ".", "/", "a/.."].map((name) => ({ name, content: "1" }));
    writeFileSync(join(context, "x.tar"), tar({ name: "d", type: "5" }, ...nameless));
    const output = `${context}-out`;
    expect(builder.image("build", ["-o", output, context]).stderr).not.toContain("ERROR");
    expect(readdirSync(join(output, "p"))).toEqual(["d"]);
  });

  test("a here-document whose name can be none of a file", () => {
    for (const name of [".", ".."])
      expect(builder.build(`FROM scratch\nCOPY <<${name} /d/\nx\n${name}\n`).stderr).toContain(
        `Dockerfile:2:1: the here-document "${name}" cannot be the name of a file`,
      );
  });

  test("** goes through no symlink, and out of the context by none", () => {
    const context = builder.context({ Dockerfile: "FROM scratch\nCOPY --parents **/x /p/\n", "d/x": "in" });
    const outside = builder.at("outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "x"), "out");
    symlinkSync(outside, join(context, "l"));
    const output = `${context}-out`;
    expect(builder.image("build", ["-o", output, context]).code).toBe(0);
    expect(readdirSync(join(output, "p"))).toEqual(["d"]);
  });

  test("--link leaves the permissions of what is there", () => {
    expect(
      lineOf(builder.tree("FROM base:1\nCOPY --link a /tmp/\nCOPY --link=false a /new/\n", { a: "" }), "tmp"),
    ).toBe("1777 0:0 directory");
  });

  test("an archive's own root directory changes nothing of where it goes", () => {
    const context = builder.context({ Dockerfile: "FROM base:1\nADD x.tar /opt/\nADD x.tar /fresh/\n" });
    const directory = builder.at("odd");
    mkdirSync(directory);
    writeFileSync(join(directory, "f"), "1");
    chmodSync(directory, 0o700);
    execFileSync("tar", ["--owner=5", "--group=6", "-c", "-f", join(context, "x.tar"), "-C", directory, "."]);
    const output = `${context}-out`;
    expect(builder.image("build", ["-o", output, context]).code).toBe(0);
    const mode = (path: string) =>
      execFileSync("stat", ["-c", "%a %u:%g", join(output, path)], { encoding: "utf8" }).trim();
    expect(["opt", "opt/f", "fresh", "fresh/f"].map(mode)).toEqual(["755 0:0", "644 5:6", "755 0:0", "644 5:6"]);
  });

  test("of a named context: a directory, a jail with its own ignore file, or an image", () => {
    const other = builder.context({ f: "1", left: "", ".dockerignore": "left\n", "d/g": "2" });
    symlinkSync("/etc/passwd", join(other, "l"));
    const option = ["--build-context", `Other=${other}`];
    const text = "FROM scratch\nCOPY --from=other . /c/\n";
    expect(pathsOf(builder.tree(text, {}, ...option))).toEqual(["c", "c/.dockerignore", "c/d", "c/d/g", "c/f", "c/l"]);
    expect(builder.build("FROM scratch\nCOPY --from=other left /\n", {}, ...option).stderr).toMatch(
      /Dockerfile:2:19: .*ignore file/,
    );
    expect(builder.build("FROM scratch\nCOPY --from=other l /\n", {}, ...option).stderr).toMatch(
      /Dockerfile:2:19: .*"l" is a symlink to what is not in the build context/,
    );
    expect(builder.build("FROM other\n", {}, ...option).stderr).toMatch(
      /Dockerfile:1:6: .*is a directory, which is no image/,
    );
    const run = "FROM base:1\nRUN --mount=from=other,target=/m cat /m/d/g > /g\n";
    expect(lineOf(builder.tree(run, {}, ...option), "g")).toBe('644 0:0 "2"');
    writeFileSync(join(other, "d/g"), "3");
    expect(lineOf(builder.tree(run, {}, ...option), "g")).toBe('644 0:0 "3"');
    const image = ["--build-context", "nowhere.example/x=docker-image://base:1"];
    expect(builder.build("FROM nowhere.example/x\nRUN true\n", {}, ...image).code).toBe(0);
    expect(builder.build("FROM scratch\n", {}, "--build-context", "x=https://h.example/y").stderr).toContain(
      "NAME=DIRECTORY",
    );
  });

  test("ADD of a URL without a name, to a file", async () => {
    const server = createHttpServer((_, response) => response.end("page"));
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
    const output = builder.at("page");
    try {
      const context = builder.context({ Dockerfile: `FROM scratch\nADD ${url} /d/page.html\n` });
      expect(await buildAside(context, "--output", output)).toMatchObject({ code: 0 });
      const into = builder.context({ Dockerfile: `FROM scratch\nADD ${url} /d/\n` });
      expect((await buildAside(into)).stderr).toMatch(/Dockerfile:2:5: .*its path ends with no name of a file/);
    } finally {
      server.close();
    }
    expect(readdirSync(join(output, "d"))).toEqual(["page.html"]);
  });

  test("ADD of a URL shows a host its own secret, and no other host that the first leads to", async () => {
    const seen: string[] = [];
    const server = createHttpServer((request, response) => {
      const { port } = server.address() as { port: number };
      const { host = "", authorization } = request.headers;
      seen.push(`${host.split(":")[0]}${request.url} ${authorization}`);
      if (request.url === "/away") response.writeHead(302, { location: `http://localhost:${port}/f` }).end();
      else if (request.url === "/here") response.writeHead(307, { location: "/f" }).end();
      else if (request.url === "/out") response.writeHead(302, { location: "file:///etc/passwd" }).end();
      else if (request.url === "/nowhere") response.writeHead(302, { location: "http://[x" }).end();
      else if (request.url === "/back") response.writeHead(302, { location: `http://127.0.0.1:${port}/f` }).end();
      else if (request.url === "/loop") response.writeHead(301, { location: "/loop" }).end();
      else if (host.startsWith("127.") && authorization === undefined) response.writeHead(401).end();
      else response.end("content");
    });
    await new Promise<void>((settle) => server.listen(0, settle));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    const token = builder.at("token");
    writeFileSync(token, "s3cret\n");
    const add = (path: string, ...args: string[]) =>
      buildAside(builder.context({ Dockerfile: `FROM scratch\nADD ${url}${path} /f\n` }), ...args);
    try {
      const secret = ["--secret", `id=HTTP_AUTH_TOKEN_127.0.0.1,src=${token}`];
      for (const path of ["/f?1", "/away", "/here"]) expect(await add(path, ...secret)).toMatchObject({ code: 0 });
      expect(await add("/f?2", "--secret", `id=HTTP_AUTH_HEADER_127.0.0.1,src=${token}`)).toMatchObject({ code: 0 });
      expect(seen).toEqual([
        "127.0.0.1/f?1 Bearer s3cret",
        "127.0.0.1/away Bearer s3cret",
        "localhost/f undefined",
        "127.0.0.1/here Bearer s3cret",
        "127.0.0.1/f Bearer s3cret",
        "127.0.0.1/f?2 s3cret",
      ]);
      const { code, stderr } = await add("/f?3");
      expect(code).toBe(1);
      expect(stderr).toMatch(/401 Unauthorized: --secret id=HTTP_AUTH_TOKEN_127\.0\.0\.1,src=FILE shows it a token/);
      const back = builder.context({
        Dockerfile: `FROM scratch\nADD ${url.replace("127.0.0.1", "localhost")}/back /f\n`,
      });
      expect((await buildAside(back)).stderr).toContain(
        "401 Unauthorized: --secret id=HTTP_AUTH_TOKEN_127.0.0.1,src=FILE",
      );
      for (const [path, location] of [
        ["/out", "file:///etc/passwd"],
        ["/nowhere", "http://[x"],
      ] as const)
        expect((await add(path)).stderr).toContain(
          `cannot be fetched: it leads to ${location}, which is neither http nor https`,
        );
      expect((await add("/loop")).stderr).toMatch(/cannot be fetched: more than 10 redirects/);
    } finally {
      server.close();
    }
  });

  test("ADD of a URL: asked for again only if it has changed; the checksum of what is kept needs no server", async () => {
    const asked: (string | undefined)[] = [];
    let [body, etag] = ["one", '"1"'];
    const server = createHttpServer((request, response) => {
      asked.push(request.headers["if-none-match"]);
      if (request.headers["if-none-match"] === etag) response.writeHead(304).end();
      else response.writeHead(200, { etag }).end(body);
    });
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/f`;
    const context = builder.context({ Dockerfile: `FROM scratch\nADD ${url} /f\n` });
    const digest = createHash("sha256").update("two").digest("hex");
    const pinned = builder.context({ Dockerfile: `FROM scratch\nADD --checksum=sha256:${digest} ${url} /g\n` });
    const outcome = async () => steps((await buildAside(context)).stderr);
    try {
      expect([await outcome(), await outcome()]).toEqual([["DONE"], ["CACHED"]]);
      [body, etag] = ["two", '"2"'];
      expect(await outcome()).toEqual(["DONE"]);
      expect(asked).toEqual([undefined, '"1"', '"1"']);
    } finally {
      server.close();
    }
    expect((await buildAside(pinned)).code).toBe(0);
    expect((await buildAside(context)).stderr).toMatch(/Dockerfile:2:5: .*cannot be fetched/);
  });
});

describe.skipIf(why !== null)("RUN", () => {
  test.each(["root", "app"])("writes to pipes, which can be opened by their names, as %s", (user) => {
    const names = ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2"];
    const text = names.map((name, index) => `echo to-${index} > ${name}`).join(" && ");
    const { code, stderr } = builder.build(`FROM base:1\nUSER ${user}\nRUN ${text} && echo last | tee /dev/stderr\n`);
    expect(stderr.split("\n").filter((line) => /^#2 (to|last)/.test(line))).toEqual([
      ...names.map((_, index) => `#2 to-${index}`),
      "#2 last",
      "#2 last",
    ]);
    expect(code).toBe(0);
  });

  test("is told to the end of what it writes, also where it fails", () => {
    const { code, stderr } = builder.build("FROM base:1\nRUN seq 5000; echo end >&2; exit 3\n");
    expect(stderr).toMatch(/^#1 4999\n#1 5000\n#1 end\n#1 ERROR/m);
    expect(stderr).toContain("ended with exit code 3");
    expect(code).toBe(1);
  });

  test("--mount=type=ssh leads to the caller's agent by a socket of its own", async () => {
    const path = builder.at("agent");
    const server = createServer((socket) => socket.end("an agent's answer\n"));
    await new Promise<void>((settle) => server.listen(path, settle));
    chmodSync(path, 0o600);
    const script =
      "echo $SSH_AUTH_SOCK > /s; stat -c '%a %u %F' $SSH_AUTH_SOCK >> /s; until [ -e /m/go ]; do sleep 0.1; done";
    const text = `FROM base:1\nRUN --mount=type=ssh,id=k,mode=0640,uid=7 --mount=type=cache,id=go,target=/m ${script}\n`;
    const context = builder.context({ Dockerfile: text });
    const output = `${context}-out`;
    try {
      const built = buildAside(context, "--ssh", `k=${path}`, "-o", output);
      const find = () =>
        execFileSync("sh", ["-c", `find ${builder.at("store")} -name agent 2>/dev/null || true`], {
          encoding: "utf8",
        }).trim();
      await waitFor(() => find() !== "");
      const answer = await new Promise<string>((settle, reject) => {
        const client = createConnection(find());
        client.on("data", (chunk) => settle(chunk.toString()));
        client.on("error", reject);
      });
      expect(answer).toBe("an agent's answer\n");
      const mounts = builder.at("store/build/mounts");
      for (const name of readdirSync(mounts).filter((one) => !one.includes(".")))
        writeFileSync(join(mounts, name, "go"), "");
      const { code, stderr } = await built;
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
      expect(execFileSync("cat", [join(output, "s")], { encoding: "utf8" })).toBe(
        "/run/buildkit/ssh_agent.0\n640 7 socket\n",
      );
      expect(existsSync(join(output, "run"))).toBe(false);
    } finally {
      server.close();
    }
    const required = "FROM base:1\nRUN --mount=type=ssh,required=true true\n";
    expect(builder.build(required).stderr).toMatch(
      /Dockerfile:2:13: the ssh agent "default" is required: --ssh default/,
    );
    expect(builder.build('FROM base:1\nRUN --mount=type=ssh test -z "$SSH_AUTH_SOCK"\n').code).toBe(0);
  });

  test("--network: by default not the host's loopback interface, where pasta is; none has nothing else; host is the host's", () => {
    const text = (flag: string) =>
      `FROM base:1\nRUN ${flag} readlink /proc/self/ns/net > /n; ip link | grep -c '^[0-9]' >> /n\n`;
    const own = execFileSync("readlink", ["/proc/self/ns/net"], { encoding: "utf8" }).trim();
    const said = (flag: string) =>
      JSON.parse(lineOf(builder.tree(text(flag)), "n")?.slice("644 0:0 ".length) ?? "").split("\n") as string[];
    expect(said("--network=host")[0]).toBe(own);
    const none = said("--network=none");
    expect(none[0]).not.toBe(own);
    expect(none[1]).toBe("1");
    if (!hasPasta) return;
    const usual = said("");
    expect(usual[0]).not.toBe(own);
    expect(usual[1]).toBe("2");
  });

  test("asks for names whom the host asks, also by the host's loopback interface", async (context) => {
    if (!hasPasta) context.skip("pasta is not there");
    const server = createSocket("udp4");
    server.on("message", (query, from) => {
      const question = query.subarray(12);
      const end = question.indexOf(0) + 5;
      const isAddress = question.readUInt16BE(end - 4) === 1;
      const head = [query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0])];
      const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77]);
      const all = Buffer.concat([...head, question.subarray(0, end), ...(isAddress ? [answer] : [])]);
      server.send(all, from.port, from.address);
    });
    await new Promise<void>((settle) => server.bind(53, "127.0.0.77", settle));
    const resolver = builder.at("resolv.conf");
    writeFileSync(resolver, "nameserver 127.0.0.77\n");
    const directory = builder.context({ Dockerfile: "FROM base:1\nRUN nslookup a.example > /n\n" });
    const output = `${directory}-out`;
    const script = `mount --bind ${resolver} /etc/resolv.conf && exec "$0" "$@"`;
    const build = [
      "--root",
      builder.at("run"),
      "image",
      "build",
      "--store",
      builder.at("store"),
      "-o",
      output,
      directory,
    ];
    try {
      const child = spawn("unshare", ["--mount", "sh", "-c", script, TSRUNC, ...build], { stdio: "ignore" });
      expect(await new Promise((settle) => child.on("close", settle))).toBe(0);
      expect(execFileSync("cat", [join(output, "n")], { encoding: "utf8" })).toContain("192.0.2.77");
    } finally {
      server.close();
    }
  });

  test("what a builder is told by --build-arg: no ARG takes it, and no warning", () => {
    const args = ["--build-arg", "SOURCE_DATE_EPOCH=1000000000", "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box"];
    const { stderr } = builder.build(
      "FROM base:1\nRUN hostname > /h; grep -c box /etc/hosts >> /h\n",
      {},
      ...args,
      "-t",
      "told:1",
    );
    expect(stderr).not.toContain("warning");
    expect(builder.inspect("told:1").created).toBe("2001-09-09T01:46:40.000Z");
    expect(builder.must("run", "told:1", "cat", "/h")).toBe("box\n1\n");
  });

  test("a mount below another one is seen, in whatever order they are written", () => {
    const text =
      "FROM base:1\nRUN --mount=type=bind,source=f,target=/m/s/f --mount=type=tmpfs,target=/m/s --mount=type=bind,source=d,target=/m,rw ls /m /m/s /m/s/f > /said\n";
    expect(lineOf(builder.tree(text, { f: "", "d/x": "" }), "said")).toContain("x");
    expect(builder.build(text, { f: "", "d/x": "" }).code).toBe(0);
  });

  test("cache mounts that are locked: one twice in a command, and two in either order side by side", () => {
    const mount = (id: string, target: string) => `--mount=type=cache,sharing=locked,id=locked-${id},target=${target}`;
    const text = [
      "FROM base:1 AS a",
      `RUN ${mount("a", "/1")} ${mount("b", "/2")} ${mount("a", "/3")} sleep 1; touch /1/x; ls /3/x > /said`,
      "FROM base:1 AS b",
      `RUN ${mount("b", "/1")} ${mount("a", "/2")} sleep 1; touch /1/x; ls /1/x > /said`,
      "FROM scratch",
      "COPY --from=a /said /a",
      "COPY --from=b /said /b",
    ].join("\n");
    expect(pathsOf(builder.tree(text))).toEqual(["a", "b"]);
  });

  test("builds that begin a cache mount at once find all that it comes with", async () => {
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`seed/${at}`, ""]));
    const seed = "FROM scratch AS seed\nCOPY seed /\n";
    expect(builder.build(seed, files).code).toBe(0);
    const mount = "--mount=type=cache,id=seeded,from=seed,target=/c";
    const built = await Promise.all(
      [0, 1, 2, 3].map(async (at) => {
        const output = builder.at(`seeded${at}`);
        const text = `${seed}FROM base:1 AS run\nRUN ${mount} : ${at}; ls /c | wc -l > /n\nFROM scratch\nCOPY --from=run /n /n\n`;
        const { code } = await buildAside(builder.context({ ...files, Dockerfile: text }), "--output", output);
        return [code, readFileSync(join(output, "n"), "utf8").trim()];
      }),
    );
    expect(built).toEqual(Array(4).fill([0, "1000"]));
  });

  test("a build that waits for a locked cache mount ends by a signal", async () => {
    const mount = "RUN --mount=type=cache,sharing=locked,id=held,target=/c";
    const first = buildAside(
      builder.context({ Dockerfile: `FROM base:1\n${mount} touch /c/begun; until [ -e /c/go ]; do sleep 0.1; done\n` }),
    );
    const mounts = builder.at("store/build/mounts");
    const held = () => readdirSync(mounts).find((name) => existsSync(join(mounts, name, "begun")));
    await waitFor(() => existsSync(mounts) && held() !== undefined);
    const args = ["--root", builder.at("run"), "image", "build", "--store", builder.at("store")];
    const second = spawn(TSRUNC, [...args, builder.context({ Dockerfile: `FROM base:1\n${mount} true\n` })]);
    let said = "";
    second.stderr.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    const ended = new Promise<number | null>((settle) => second.on("close", settle));
    await waitFor(() => said.includes("RUN --mount"));
    second.kill("SIGTERM");
    expect(await ended).toBe(1);
    expect(said).toContain("ended by SIGTERM");
    writeFileSync(join(mounts, held() as string, "go"), "");
    expect((await first).code).toBe(0);
  });

  test("cache mounts: shared between builds, with the owner that is asked for, and pruned beyond a bound", () => {
    const text =
      "FROM base:1\nARG n\nUSER app\nRUN --mount=type=cache,target=/c,id=bound,uid=1000,mode=0750 echo $n >> /c/all; cat /c/all; stat -c '%a %u' /c\n";
    const said = (n: string) => builder.build(text, {}, "--build-arg", `n=${n}`).stderr;
    expect(said("1")).toMatch(/#3 1\n#3 750 1000\n/);
    expect(said("2")).toMatch(/#3 1\n#3 2\n#3 750 1000\n/);
    const prune = (limit: string) => builder.must("prune", "--cache-limit", limit);
    expect(prune("1m")).not.toContain("build/mounts/");
    expect(builder.must("prune", "--cache-limit", "0", "--dry-run")).toContain("Deleted cache: build/mounts/");
    expect(prune("0")).toContain("Deleted cache: build/mounts/");
    expect(readdirSync(builder.at("store/build/mounts"))).toEqual([]);
    expect(said("3")).toMatch(/#3 3\n#3 750 1000\n/);
  });
});

describe.skipIf(why !== null)("the cache", () => {
  test("--no-cache takes the base that is here, --pull asks for it anew", () => {
    builder.must("tag", "localhost/base:1", "localhost:1/none/base:1");
    const text = "FROM localhost:1/none/base:1\nRUN true\n";
    expect(builder.build(text, {}, "--no-cache").code).toBe(0);
    const { code, stderr } = builder.build(text, {}, "--pull", "--retries", "0");
    expect(code).toBe(1);
    expect(stderr).toMatch(/Dockerfile:1:6: /);
  });

  test("of builds at once, some of them the same, while another removes images", async () => {
    const context = (text: string) => builder.context({ Dockerfile: text });
    const same = "FROM base:1\nRUN echo 1 > /one; sleep 0.2\nRUN echo 2 > /two\n";
    const builds = [same, same, same, "FROM base:1\nRUN echo 1 > /one; sleep 0.2\nRUN echo 3 > /three\n"].map(
      (text, index) => buildAside(context(text), "-t", `once:${index}`),
    );
    const prune = spawn(TSRUNC, ["image", "prune", "--store", builder.at("store")], { stdio: "ignore" });
    const done = await Promise.all([...builds, new Promise((settle) => prune.on("close", settle))]);
    expect(done.slice(0, 4).map((one) => (one as Ran).code)).toEqual([0, 0, 0, 0]);
    const ids = done.slice(0, 3).map((one) => (one as Ran).stdout);
    const layers = [0, 1, 2].map((index) => JSON.stringify(builder.inspect(`once:${index}`).layers));
    expect(new Set(layers).size).toBe(1);
    expect(ids).toHaveLength(3);
    expect(builder.must("verify")).not.toMatch(/damaged|missing/);
  });

  test("a folder of a lower layer that is moved is whole in its layer, and so is a further name of a file", () => {
    const text =
      "FROM base:1\nRUN mkdir -p /from/sub; echo 1 > /from/sub/f; echo 2 > /g\nRUN mv /from /to; ln /g /h\nRUN chmod 600 /to/sub/f\n";
    const tree = builder.tree(text);
    expect(["from", "to/sub/f", "g", "h"].map((path) => lineOf(tree, path))).toEqual([
      undefined,
      '600 0:0 "1\\n"',
      '644 0:0 "2\\n"',
      '644 0:0 "2\\n" = g',
    ]);
  });
});

describe.skipIf(why !== null)("the context", () => {
  test("everything ignored: the builder reads its files, and COPY . brings nothing", () => {
    const files = { ".dockerignore": "*\n", a: "" };
    expect(builder.tree("FROM base:1\nCOPY . /c/\n", files).filter((line) => line.startsWith("c/"))).toEqual([]);
    const context = builder.context({
      Dockerfile: "",
      ".dockerignore": "sub\n",
      "sub/Dockerfile": "FROM scratch\nCOPY . /\n",
      b: "",
    });
    const output = `${context}-out`;
    expect(builder.image("build", ["-f", join(context, "sub/Dockerfile"), "-o", output, context]).code).toBe(0);
    expect(readdirSync(output).sort()).toEqual([".dockerignore", "Dockerfile", "b"]);
  });

  test("a label without a value is there, and empty", () => {
    expect(builder.build("FROM scratch\n", {}, "--label", "a", "--label", "b=c=d", "-t", "labels:1").code).toBe(0);
    expect(builder.inspect("labels:1").config.Labels).toEqual({ a: "", b: "c=d" });
    expect(builder.build("FROM scratch\n", {}, "--label", "=x").stderr).toContain('--label "=x": NAME=VALUE is right');
  });

  test.each(["-", "type=oci", "type=docker"])("--output %s: an archive alone on stdout, the id on stderr", (output) => {
    const context = builder.context({ Dockerfile: "FROM base:1\n" });
    const build = [TSRUNC, "--root", builder.at("run"), "image", "build", "-q", "--store", builder.at("store")];
    const shell = (redirection: string) =>
      spawnSync("sh", ["-c", `"$@" ${redirection}`, "sh", ...build, "--output", output, context], {
        maxBuffer: 64 << 20,
      });
    const { stdout, stderr, status } = shell("");
    expect(status).toBe(0);
    expect(stdout.subarray(-1024)).toEqual(Buffer.alloc(1024));
    expect(stderr.toString()).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(shell("> /dev/full").stderr.toString()).toMatch(/^[^\n]*ENOSPC: no space left on device[^\n]*\n$/);
    // As any program that nobody reads any more.
    expect(shell("| head -c 5").stderr.toString()).toBe("");
  });

  test("--output to a file that takes no more is told in one line", () => {
    const context = builder.context({ Dockerfile: "FROM base:1\n" });
    for (const type of ["tar", "oci", "docker"])
      expect(builder.image("build", ["-q", "--output", `type=${type},dest=/dev/full`, context])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^[^\n]*ENOSPC: no space left on device[^\n]*\n$/),
      });
  });

  test("ONBUILD: once in each of two children of one file, and from an image", () => {
    builder.build(
      "FROM base:1\nONBUILD RUN echo run >> /on\nONBUILD COPY --from=base:1 /etc/passwd /copied\n",
      {},
      "-t",
      "parent:1",
    );
    const tree = builder.tree("FROM parent:1 AS one\nFROM parent:1\nCOPY --from=one /on /one\n");
    expect(["on", "one"].map((path) => lineOf(tree, path))).toEqual(['644 0:0 "run\\n"', '644 0:0 "run\\n"']);
    expect(lineOf(tree, "copied")).toContain("644 0:0");
  });
});

describe.skipIf(why !== null)("a build that is killed", () => {
  test.each(["the next build", "a collection"])("leaves nothing: %s clears it", async (which) => {
    const context = builder.context({ Dockerfile: "FROM base:1\nRUN echo begun; exec sleep 4321\n" });
    const child = spawn(
      TSRUNC,
      ["--root", builder.at("run"), "image", "build", "--store", builder.at("store"), context],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    await waitFor(() => /^#1 begun$/m.test(said));
    child.kill("SIGKILL");
    await new Promise((settle) => child.on("exit", settle));
    if (which === "a collection") builder.must("prune");
    else expect(builder.build("FROM base:1\nRUN true\n").code).toBe(0);
    const running = () =>
      execFileSync("sh", ["-c", "ps -e -o args= | grep -E '^sleep 4321' || true"], { encoding: "utf8" });
    expect(running()).toBe("");
    for (const place of ["bundles", "active"]) expect(readdirSync(builder.at(`store/snapshots/${place}`))).toEqual([]);
    expect(readdirSync(builder.at("run")).filter((name) => name.startsWith("build-"))).toEqual([]);
    const pastas = execFileSync("sh", ["-c", `ps -e -o args= | grep -F '${builder.path}' | grep '[p]asta' || true`], {
      encoding: "utf8",
    });
    expect(pastas).toBe("");
  });
});
