// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are a Dockerfile's substitutions, not JavaScript's
/** Builds: the context as a jail, the cache, what a RUN sees and leaves, and how a build fails. */
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Builder, type Files, listing, whyNotBuild } from "./build/support.ts";

const why = whyNotBuild();
let builder: Builder;
let outside: string;

beforeAll(() => {
  if (why !== null) return;
  builder = new Builder();
  outside = builder.at("outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "outside\n");
});

afterAll(() => builder?.[Symbol.dispose]());

/** Steps of a build with what became of them, by the words that progress has. */
function steps(stderr: string): string[] {
  return stderr.split("\n").flatMap((line) => /^#\d+ (DONE|CACHED|ERROR)/.exec(line)?.[1] ?? []);
}

function lineOf(tree: readonly string[], path: string): string | undefined {
  return tree.find((line) => line.startsWith(`${path}: `))?.slice(path.length + 2);
}

describe.skipIf(why !== null)("the context is a jail:", () => {
  const ATTEMPTS: [name: string, instruction: string, make: (context: string) => void][] = [
    ["..", "COPY ../outside/secret /s", () => {}],
    [".. in the middle", "COPY d/../../outside/secret /s", (context) => mkdirSync(join(context, "d"))],
    ["an absolute path", "COPY OUTSIDE/secret /s", () => {}],
    ["a link to a file", "COPY l /s", (context) => symlinkSync(join(outside, "secret"), join(context, "l"))],
    ["a relative link", "COPY l /s", (context) => symlinkSync("../outside/secret", join(context, "l"))],
    ["a link to a directory", "COPY l /s", (context) => symlinkSync(outside, join(context, "l"))],
    ["a link to the root directory", "COPY l/etc/passwd /s", (context) => symlinkSync("/", join(context, "l"))],
    ["a link on the way", "COPY l/secret /s", (context) => symlinkSync(outside, join(context, "l"))],
    [
      "a link to a link",
      "COPY l /s",
      (context) => [symlinkSync("m", join(context, "l")), symlinkSync(outside, join(context, "m"))],
    ],
    [
      "a link in a directory",
      "COPY d/l /s",
      (context) => [mkdirSync(join(context, "d")), symlinkSync("../../outside", join(context, "d/l"))],
    ],
    [
      "a pattern that matches a link",
      "COPY l* /s/",
      (context) => symlinkSync(join(outside, "secret"), join(context, "l1")),
    ],
    ["a pattern below a link", "COPY l/s* /s/", (context) => symlinkSync(outside, join(context, "l"))],
    ["a pattern with ..", "COPY */../../outside/secret /s", (context) => mkdirSync(join(context, "d"))],
    ["ADD", "ADD l /s", (context) => symlinkSync(join(outside, "secret"), join(context, "l"))],
    ["--parents", "COPY --parents l/secret /s/", (context) => symlinkSync(outside, join(context, "l"))],
    [
      "a bind mount",
      "RUN --mount=type=bind,source=l,target=/m cat /m/secret",
      (context) => symlinkSync(outside, join(context, "l")),
    ],
    ["a bind mount with ..", "RUN --mount=type=bind,source=../outside,target=/m cat /m/secret", () => {}],
    ["/proc's links", "COPY l /s", (context) => symlinkSync("/proc/self/root/etc/passwd", join(context, "l"))],
    [
      "a link that leads out and back",
      "COPY l /s",
      (context) => symlinkSync(`../${context.split("/").at(-1)}/Dockerfile`, join(context, "l")),
    ],
    ["a loop", "COPY l /s", (context) => [symlinkSync("m", join(context, "l")), symlinkSync("l", join(context, "m"))]],
  ];

  test.each(ATTEMPTS)("%s", (_, instruction, make) => {
    const context = builder.context({ Dockerfile: `FROM base:1\n${instruction.replace("OUTSIDE", outside)}\n` });
    make(context);
    const { code, stderr, stdout } = builder.image("build", [context]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /Dockerfile:2:\d+: .*(leads out of the context|is (a symlink to what is )?not in the context|more than 40 symlinks)/,
    );
    expect(stderr).not.toContain("outside\n");
  });

  test("a link that is copied counts from the context, wherever it leads", () => {
    const tree = builder.tree("FROM base:1\nCOPY absolute /a\nCOPY up /b\nCOPY directory/file /c\n", {
      "files/file": "in the context",
      absolute: { link: "/files/file" },
      up: { link: "../../files/file" },
      directory: { link: "/files" },
    });
    for (const name of ["a", "b", "c"]) expect(lineOf(tree, name)).toBe('644 0:0 "in the context"');
  });

  test("links in a copied directory are copied as links", () => {
    const tree = builder.tree("FROM base:1\nCOPY d /d\n", {
      "d/l": { link: "/etc/shadow" },
      "d/m": { link: "../../outside" },
    });
    expect(lineOf(tree, "d/l")).toBe(" 0:0 -> /etc/shadow");
    expect(lineOf(tree, "d/m")).toBe(" 0:0 -> ../../outside");
  });

  test("a context of somebody else's making, with an archive that leads out", () => {
    const archive = builder.at("evil.tar");
    execFileSync("tar", ["-P", "-c", "-f", archive, "--transform", "s,.*,../../evil,", join(outside, "secret")]);
    const context = builder.context({ Dockerfile: "FROM base:1\nADD evil.tar /x/y/\n" });
    execFileSync("cp", [archive, join(context, "evil.tar")]);
    expect(builder.image("build", [context]).stderr).toMatch(/Dockerfile:2:1: .*leads out of the root directory/);
  });

  test("what is ignored is not copied, by no link either, and the builder reads its own files all the same", () => {
    const files: Files = { ".dockerignore": "*\n!kept\n!l\n", kept: "k", left: "x", l: { link: "left" } };
    expect(builder.tree("FROM scratch\nCOPY . /\n", files)).toEqual(['kept: 644 0:0 "k"', "l:  0:0 -> left"]);
    expect(builder.build("FROM scratch\nCOPY left /\n", files).stderr).toMatch(
      /Dockerfile:2:6: "left" is left out of the context by its ignore file/,
    );
    expect(builder.build("FROM scratch\nCOPY l /\n", files).stderr).toMatch(/Dockerfile:2:6: .*left out/);
  });

  test("NAME.dockerignore counts in the place of the general one", () => {
    const files = {
      "x/app.Dockerfile": "FROM scratch\nCOPY . /\n",
      "x/app.Dockerfile.dockerignore": "b\nx\nDockerfile\n.dockerignore\n",
      ".dockerignore": "a\n",
      a: "",
      b: "",
    };
    const context = builder.context({ Dockerfile: "", ...files });
    const output = `${context}-out`;
    expect(builder.image("build", ["-f", join(context, "x/app.Dockerfile"), "-o", output, context]).code).toBe(0);
    expect(listing(output)).toEqual(['a: 644 0:0 ""']);
  });

  test("on stdin, as an archive", () => {
    const context = builder.context({ Dockerfile: "FROM scratch\nCOPY a /b\n", a: "1" });
    const archive = execFileSync("tar", ["-c", "-z", "-C", context, "."]);
    const output = `${context}-out`;
    const { code } = builder.image("build", ["-o", output, "-"], { input: archive });
    expect(code).toBe(0);
    expect(listing(output)).toEqual(['b: 644 0:0 "1"']);
  });
});

describe.skipIf(why !== null)("the cache", () => {
  test("asks for content and permissions, not for times and ignored files", () => {
    const context = builder.context({
      Dockerfile: "FROM base:1\nCOPY . /c\nRUN echo 1 > /r\n",
      ".dockerignore": "ignored\n",
      a: "1",
    });
    const outcome = () => steps(builder.image("build", [context]).stderr);
    expect(outcome()).toEqual(["DONE", "DONE"]);
    execFileSync("touch", ["-d", "2001-01-01", join(context, "a")]);
    writeFileSync(join(context, "ignored"), "x");
    expect(outcome()).toEqual(["CACHED", "CACHED"]);
    execFileSync("chmod", ["600", join(context, "a")]);
    expect(outcome()).toEqual(["DONE", "DONE"]);
    expect(steps(builder.image("build", ["--no-cache", context]).stderr)).toEqual(["DONE", "DONE"]);
  });

  test("asks for the values of arguments where they are seen, and not above", () => {
    const text = "FROM base:1\nRUN echo above-args\nARG v\nRUN echo $v > /v\nENV e=$v\n";
    const outcome = (value: string) =>
      steps(builder.build(text, {}, "--build-arg", `v=${value}`, "-t", "args:1").stderr);
    outcome("1");
    expect(outcome("2")[0]).toBe("CACHED");
    expect(outcome("2")).toEqual(["CACHED", "CACHED", "CACHED", "CACHED"]);
    outcome("1");
    expect(builder.inspect("args:1").config.Env).toContain("e=1");
  });

  test("asks for what bind mounts bring, and not for secrets and proxies", () => {
    const text =
      "FROM base:1\nRUN --mount=type=bind,source=a,target=/a --mount=type=secret,id=s cat /a > /b; cat /run/secrets/s\n";
    const secret = builder.at("secret");
    const context = builder.context({ Dockerfile: text, a: "1" });
    const outcome = (value: string, ...more: string[]) => {
      writeFileSync(secret, value);
      const { stderr } = builder.image("build", ["--secret", `id=s,src=${secret}`, ...more, context]);
      return steps(stderr);
    };
    expect(outcome("one")).toEqual(["DONE"]);
    expect(outcome("two", "--build-arg", "HTTP_PROXY=http://u:p@h")).toEqual(["CACHED"]);
    writeFileSync(join(context, "a"), "2");
    expect(outcome("two")).toEqual(["DONE"]);
  });

  test("brings deleted files back to nobody", () => {
    const text = "FROM base:1\nRUN echo 1 > /gone; echo 2 > /kept\nRUN rm /gone\n";
    builder.tree(text);
    expect(builder.tree(text).filter((line) => /^(gone|kept):/.test(line))).toEqual(['kept: 644 0:0 "2\\n"']);
  });
});

describe.skipIf(why !== null)("RUN", () => {
  test("leaves nothing of what is mounted, and secrets nowhere", () => {
    const secret = builder.at("secret");
    writeFileSync(secret, "very-secret-value");
    const text =
      "FROM scratch\nCOPY --from=base:1 /bin /bin\nENV PATH=/bin\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=E --mount=type=tmpfs,target=/new/t [ $(cat /run/secrets/s) = $E ] && touch /new/t/x\n";
    const tree = builder.tree(text, {}, "--secret", `id=s,src=${secret}`, "-t", "clean:1");
    expect(tree.filter((line) => !line.startsWith("bin:"))).toEqual([]);
    expect(JSON.stringify(builder.inspect("clean:1"))).not.toContain("very-secret");
    const found = execFileSync("sh", ["-c", `grep -rl very-secret-value ${builder.at("store")} || true`], {
      encoding: "utf8",
    });
    expect(found).toBe("");
  });

  test("has no input, and the caller's stays unread", () => {
    const context = builder.context({ Dockerfile: "FROM base:1\nRUN cat > /in; echo end >> /in\n" });
    const script = `"${resolve(process.env["TSRUNC"] ?? "dist/tsrunc")}" image build --store ${builder.at("store")} -q ${context} >/dev/null\necho after\n`;
    expect(execFileSync("sh", [], { input: script, encoding: "utf8" })).toBe("after\n");
  });

  test("has the walls of a default container", () => {
    const text =
      "FROM base:1\nRUN grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status > /s; hostname >> /s; ls /proc/1/exe >> /s; mount -t tmpfs x /tmp 2>/dev/null; echo mount $? >> /s\n";
    const said = lineOf(builder.tree(text), "s") as string;
    expect(said).toContain("00000000a80425fb");
    expect(said).toMatch(/Seccomp:\\t2/);
    expect(said).toMatch(/mount (1|255)/);
  });

  test("and COPY with here-documents", () => {
    const text =
      "FROM base:1\nENV v=val\nCOPY <<one <<'two' /d/\n\"$v\" '$v' \\$v\none\n\"$v\"\ntwo\n" +
      "RUN <<EOF\nset -e\necho one > /one\nFROM=x\nEOF\nRUN <<S\n#!/bin/sh\necho $0 > /four\nS\nRUN cat <<E > /three; echo $?\n3\nE\n";
    const tree = builder.tree(text);
    expect(["d/one", "d/two", "one", "three", "four"].map((path) => lineOf(tree, path))).toEqual([
      '644 0:0 "\\"val\\" \'val\' $v\\n"',
      '644 0:0 "\\"$v\\"\\n"',
      '644 0:0 "one\\n"',
      '644 0:0 "3\\n"',
      '644 0:0 "/dev/pipes/S\\n"',
    ]);
  });

  test("WORKDIR asks for no user where its directory is there", () => {
    expect(builder.build("FROM base:1\nUSER nobody-here\nWORKDIR /etc\n").code).toBe(0);
    expect(builder.build("FROM base:1\nUSER nobody-here\nWORKDIR /new\n").stderr).toMatch(
      /3:1: the user "nobody-here" is not in/,
    );
  });

  test("has another cache by the same name for another owner", () => {
    const run = (uid: number, script: string) => `RUN --mount=type=cache,id=owned,target=/c,uid=${uid} ${script}\n`;
    const tree = builder.tree(
      `FROM base:1\n${run(0, "touch /c/root")}${run(7, "ls /c > /seen; touch /c/seven")}${run(7, "ls /c >> /seen")}`,
    );
    expect(lineOf(tree, "seen")).toBe('644 0:0 "seven\\n"');
  });

  test("of a user in a new WORKDIR may write there", () => {
    expect(lineOf(builder.tree("FROM base:1\nUSER app\nWORKDIR /new/sub\nRUN touch f\n"), "new/sub/f")).toBe(
      '644 1000:1000 ""',
    );
  });

  test("keeps what it writes to a VOLUME", () => {
    expect(lineOf(builder.tree("FROM base:1\nVOLUME /v\nRUN mkdir -p /v; echo 1 > /v/f\n"), "v/f")).toBe(
      '644 0:0 "1\\n"',
    );
  });

  test("that fails: the instruction and the code, nothing tagged, an earlier tag left alone", () => {
    builder.build("FROM base:1\nENV first=1\n", {}, "-t", "failing:1");
    const before = builder.inspect("failing:1").id;
    const { code, stderr, stdout } = builder.build("FROM base:1\nRUN echo x; exit 123\n", {}, "-t", "failing:1");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/Dockerfile:2:1: the command ended with exit code 123: RUN echo x; exit 123/);
    expect(builder.inspect("failing:1").id).toBe(before);
    expect(builder.build('FROM base:1\nSHELL ["/no/such"]\nRUN x\n').stderr).toMatch(/Dockerfile:3:1: /);
  });

  test("that is interrupted leaves nothing, and the next build works", async () => {
    const context = builder.context({ Dockerfile: "FROM base:1\nRUN echo begun; sleep 300\n" });
    const store = builder.at("store");
    const child = spawn(
      resolve(process.env["TSRUNC"] ?? "dist/tsrunc"),
      ["--root", builder.at("run"), "image", "build", "--store", store, "-t", "never:1", context],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    await new Promise<void>((settle) =>
      child.stderr.on(
        "data",
        (chunk: Buffer) =>
          /begun$/m.test(
            chunk
              .toString()
              .split("\n")
              .filter((line) => line.endsWith(" begun"))
              .join("\n"),
          ) && settle(),
      ),
    );
    child.kill("SIGTERM");
    const code = await new Promise((settle) => child.on("exit", settle));
    expect(code).toBe(1);
    for (const place of ["bundles", "active", "tmp"]) expect(readdirSync(join(store, "snapshots", place))).toEqual([]);
    expect(readdirSync(builder.at("run")).filter((name) => name.startsWith("build-"))).toEqual([]);
    expect(builder.image("inspect", ["never:1"]).code).not.toBe(0);
    expect(builder.build("FROM base:1\nRUN true\n").code).toBe(0);
  });
});

describe.skipIf(why !== null)("COPY and ADD", () => {
  test.each([0o077, 0o000])("have the source's permissions under any umask: %o", (mask) => {
    const before = process.umask(mask);
    try {
      const tree = builder.tree(
        "FROM base:1\nCOPY a /new/dir/a\nCOPY --chmod=640 b /other/b\nRUN touch /t; mkdir /m\n",
        { a: { content: "", mode: 0o644 }, b: { content: "", mode: 0o666 } },
      );
      const of = (path: string) => lineOf(tree, path)?.split(" ")[0];
      expect(["new", "new/dir", "new/dir/a", "other", "other/b", "t", "m"].map(of)).toEqual([
        "755",
        "755",
        "644",
        "755",
        "640",
        "644",
        "755",
      ]);
    } finally {
      process.umask(before);
    }
  });

  test("keep set-user-ID after a chown, links among files, and capabilities", () => {
    const text =
      "FROM base:1 AS b\nCOPY caps /w/caps\nRUN cd /w; echo 1 > f; ln f g; echo 2 > s; chmod 6755 s\nFROM base:1\nCOPY --from=b --chown=3:4 /w /w\nCOPY --from=b /w/g /lone\n";
    const context = builder.context({ Dockerfile: text, caps: "x" });
    execFileSync("setfattr", [
      "-n",
      "security.capability",
      "-v",
      "0x0100000200040000000000000000000000000000",
      join(context, "caps"),
    ]);
    const output = `${context}-out`;
    expect(builder.image("build", ["-o", output, context]).stderr).not.toContain("ERROR");
    const tree = listing(output);
    expect(lineOf(tree, "w/g")).toBe('644 3:4 "1\\n" = w/f');
    expect(lineOf(tree, "w/s")).toBe('6755 3:4 "2\\n"');
    expect(lineOf(tree, "lone")).toBe('644 0:0 "1\\n"');
    expect(
      execFileSync("getfattr", ["-n", "security.capability", "--only-values", join(output, "w/caps")]).length,
    ).toBeGreaterThan(0);
  });

  test("--chown: names of the image alone", () => {
    expect(lineOf(builder.tree("FROM base:1\nCOPY --chown=app a /a\n", { a: "" }), "a")).toBe('644 1000:1000 ""');
    expect(builder.build("FROM base:1\nCOPY --chown=daemon a /a\n", { a: "" }).stderr).toMatch(
      /Dockerfile:2:1: the user "daemon" is not in the image's \/etc\/passwd/,
    );
    expect(lineOf(builder.tree("FROM scratch\nCOPY --chown=root a /a\n", { a: "" }), "a")).toBe('644 0:0 ""');
    expect(lineOf(builder.tree("FROM base:1\nCOPY --chown=:staff a /a\n", { a: "" }), "a")).toBe('644 0:50 ""');
    expect(lineOf(builder.tree("FROM scratch\nCOPY --chown=7:8 a /a\n", { a: "" }), "a")).toBe('644 7:8 ""');
    // A variable that is empty: group 0, and, where there is nothing else, as without the flag.
    for (const instruction of ["COPY", "ADD"]) {
      const owned = (flags: string) =>
        lineOf(builder.tree(`FROM base:1\nARG NONE=\n${instruction} ${flags} a /a\n`, { a: "" }), "a");
      expect(owned("--chown=app:$NONE")).toBe('644 1000:0 ""');
      expect(owned("--chown=7:$NONE")).toBe('644 7:0 ""');
      expect(owned("--chown=$NONE --chmod=$NONE")).toBe('644 0:0 ""');
    }
    const kept =
      "FROM scratch AS x\nCOPY --chown=3:4 a /a\nFROM scratch\nARG NONE=\nCOPY --from=x --chown=$NONE a /a\n";
    expect(lineOf(builder.tree(kept, { a: "" }), "a")).toBe('644 3:4 ""');
  });

  test("--exclude and --parents", () => {
    const files = { "d/a.x": "", "d/b.y": "", "d/s/c.x": "", "e/f/g.txt": "" };
    expect(builder.tree("FROM scratch\nCOPY --exclude=*.x d /d\n", files).map((line) => line.split(":")[0])).toEqual([
      "d",
      "d/b.y",
      "d/s",
      "d/s/c.x",
    ]);
    expect(builder.tree("FROM scratch\nCOPY --exclude=**/*.x d /d\n", files).map((line) => line.split(":")[0])).toEqual(
      ["d", "d/b.y", "d/s"],
    );
    expect(builder.tree("FROM scratch\nCOPY --exclude=*.x d/* /d/\n", files).map((line) => line.split(":")[0])).toEqual(
      ["d", "d/b.y"],
    );
    expect(
      builder
        .tree("FROM scratch\nCOPY --parents e/*/g.txt /p/\nCOPY --parents e/./f/g.txt /q/\n", files)
        .map((line) => line.split(":")[0]),
    ).toEqual(["p", "p/e", "p/e/f", "p/e/f/g.txt", "q", "q/f", "q/f/g.txt"]);
  });

  test("--parents keeps a single name, too, unless the pivot is at its end", () => {
    const files = { "d/a": "", top: "" };
    const names = (dockerfile: string) => builder.tree(dockerfile, files).map((line) => line.split(":")[0]);
    expect(names("FROM scratch\nCOPY --parents ./d /p/\nCOPY --parents top /q\n")).toEqual([
      "p",
      "p/d",
      "p/d/a",
      "q",
      "q/top",
    ]);
    expect(names("FROM scratch\nCOPY --parents ./d/./ /p/\n")).toEqual(["p", "p/a"]);
  });

  test("a pattern that matches nothing is passed over, and said; a name is an error", () => {
    const files = { a: "" };
    const { stderr, code } = builder.build("FROM scratch\nCOPY a none* /d/\nCOPY none* /e/\n", files);
    expect({ code, warned: stderr.match(/^.*warning: .*matches.*$/gm) }).toEqual({
      code: 0,
      warned: [
        expect.stringContaining('Dockerfile:2:8: nothing in the context matches "none*"'),
        expect.stringContaining('Dockerfile:3:6: nothing in the context matches "none*"'),
      ],
    });
    expect(
      builder.tree("FROM scratch\nCOPY a none* /d/\nCOPY none* /e/\n", files).map((line) => line.split(":")[0]),
    ).toEqual(["d", "d/a"]);
    expect(builder.build("FROM scratch\nCOPY a none /d/\n", files).stderr).toMatch(/2:8: "none" is not in the context/);
  });

  test("of an archive take the place of directories; those that are copied do not", () => {
    const files = { "t.tar": { archive: "" }, "x/d": "file" };
    const plain = builder.tree("FROM base:1\nADD t.tar /\n", files);
    const file = plain.find((line) => line.includes('"') && !line.startsWith("etc/")) as string;
    const name = file.slice(0, file.indexOf(":"));
    expect(builder.tree(`FROM base:1\nRUN mkdir -p /${name}/a\nADD t.tar /\n`, files)).toContain(file);
    expect(builder.build("FROM base:1\nRUN mkdir /d && touch /d/a\nCOPY x/ /\n", files).stderr).toMatch(
      /3:1: "x\/d" is no directory, and cannot replace one that is there/,
    );
  });

  test("ADD of a URL: as it is, for root alone, with its checksum", async () => {
    const body = "not unpacked";
    const server = createServer((request, response) => {
      if (request.url === "/missing") response.writeHead(404).end();
      else if (request.url === "/silent") return;
      else if (request.url === "/drips") {
        response.writeHead(200);
        const timer = setInterval(() => response.write("x"), 100);
        response.on("close", () => clearInterval(timer));
      } else response.writeHead(200, { "last-modified": "Tue, 01 Feb 2022 03:04:05 GMT" }).end(body);
    });
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    const { port } = server.address() as { port: number };
    const url = `http://127.0.0.1:${port}`;
    const build = (text: string) => {
      const context = builder.context({ Dockerfile: text });
      const output = `${context}-out`;
      const child = spawn(resolve(process.env["TSRUNC"] ?? "dist/tsrunc"), [
        "image",
        "build",
        "--store",
        builder.at("store"),
        "--timeout",
        "1",
        "-o",
        output,
        context,
      ]);
      let stderr = "";
      child.stderr.on("data", (chunk: Buffer) => {
        stderr += chunk;
      });
      return new Promise<{ code: number | null; stderr: string; output: string }>((settle) =>
        child.on("close", (code) => settle({ code, stderr, output })),
      );
    };
    try {
      const good = await build(`FROM scratch\nADD ${url}/a/x.tar.gz?q=1 /d/\nADD --chmod=644 ${url}/y /z\n`);
      expect(good.stderr).not.toContain("ERROR");
      expect(listing(good.output)).toEqual([
        "d: 755 0:0 directory",
        `d/x.tar.gz: 600 0:0 "${body}"`,
        `z: 644 0:0 "${body}"`,
      ]);
      expect(statSync(join(good.output, "z")).mtime.toISOString()).toBe("2022-02-01T03:04:05.000Z");
      expect((await build(`FROM scratch\nADD --checksum=sha256:${"0".repeat(64)} ${url}/y /z\n`)).stderr).toMatch(
        /Dockerfile:2:\d+: .*has the checksum sha256:/,
      );
      expect((await build(`FROM scratch\nADD ${url}/missing /z\n`)).stderr).toMatch(/Dockerfile:2:5: .*answers 404/);
      const silent = await build(`FROM scratch\nADD ${url}/silent /\n`);
      expect(silent.stderr).toContain(`${url}/silent: cannot be fetched: nothing has come for 1 second`);
      const drips = await build(`FROM scratch\nADD ${url}/drips /\n`);
      expect(drips.stderr).toMatch(/drips: cannot be fetched: no more than \d+ bytes? ha(s|ve) come in 1 second/);
      expect([silent.code, drips.code]).toEqual([1, 1]);
    } finally {
      server.close();
    }
  });
});

describe.skipIf(why !== null)("a platform", () => {
  const [host, foreign] = process.arch === "arm64" ? ["arm64", "amd64"] : ["amd64", "arm64"];
  const platformOf = (name: string) => builder.inspect(name).platform;

  test("that FROM asks for is that of the base, or an error", () => {
    builder.must("import", "--platform", `linux/${foreign}`, builder.at("base"), "localhost/foreign:1");
    // Nobody listens on port 1.
    builder.must("import", builder.at("base"), "localhost:1/own:1");
    const { code, stderr } = builder.build(`FROM --platform=linux/${foreign} localhost:1/own:1\n`);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`Dockerfile:1:\\d+: .*is for linux/${host}, not for linux/${foreign}, and .*localhost:1`),
    );
    expect(builder.build(`FROM --platform=linux/${foreign} localhost/foreign:1\n`, {}, "-t", "p:1").code).toBe(0);
    expect(platformOf("p:1")).toBe(`linux/${foreign}`);
    expect(builder.build("FROM --platform=$TARGETPLATFROM base:1\n").stderr).toMatch(/Dockerfile:1:\d+: --platform=/);
  });

  test("that nobody asks for is that of the base, also through a stage", () => {
    const text = "FROM localhost/foreign:1 AS a\nENV x=1\nFROM a\nENV y=1\n";
    const { code, stderr } = builder.build(text, {}, "-t", "p:2");
    expect(code).toBe(0);
    const warning = `the image's platform (linux/${foreign}) does not match this machine's (linux/${host})`;
    expect(stderr.split(warning)).toHaveLength(2);
    expect(builder.build(text, {}, "--platform", `linux/${foreign}`).stderr).not.toContain("does not match");
    expect(platformOf("p:2")).toBe(`linux/${foreign}`);
    expect(builder.build("FROM scratch\nENV x=1\n", {}, "-t", "p:3").code).toBe(0);
    expect(platformOf("p:3")).toBe(`linux/${host}`);
  });
});

test.skipIf(why !== null)("an image for another processor is told when it is bundled, unless it was asked for", () => {
  const [host, foreign] = process.arch === "arm64" ? ["arm64", "amd64"] : ["amd64", "arm64"];
  builder.must("import", "--platform", `linux/${foreign}`, builder.at("base"), "localhost/foreign:2");
  const bundled = (name: string, ...flags: string[]) => {
    const directory = builder.at(`bundle-${Math.random()}`);
    const { code, stdout, stderr } = builder.image("bundle", [...flags, name, directory, "true"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${directory}\n` });
    execFileSync(resolve(process.env["TSRUNC"] ?? "dist/tsrunc"), ["image", "unbundle", directory]);
    return stderr;
  };
  const warning = `warning: localhost/foreign:2: the image's platform (linux/${foreign}) does not match this machine's (linux/${host})`;
  expect(bundled("localhost/foreign:2")).toContain(warning);
  expect(bundled("localhost/foreign:2", "--platform", `linux/${foreign}`)).not.toContain("does not match");
  expect(bundled("base:1")).not.toContain("does not match");
});

describe.skipIf(why !== null)("what cannot be taken is named:", () => {
  test("a secret that is not there, before any step", () => {
    const text = "FROM base:1\nRUN --mount=type=secret,id=s true\n";
    expect(builder.build(text).code).toBe(0);
    for (const [secret, words] of [
      ["id=s,src=/no/such/file", /there is no file \/no\/such\/file/],
      ["id=s,src=/etc", /\/etc is a directory/],
      ["id=s,env=NO_SUCH_VARIABLE", /the variable NO_SUCH_VARIABLE is not set/],
      ["id=no-such-secret", /there is no file no-such-secret/],
    ] as const) {
      const { code, stderr } = builder.build(text, {}, "--secret", secret);
      expect(code).toBe(1);
      expect(stderr).toMatch(words);
      expect(steps(stderr)).toEqual([]);
    }
  });

  test("an image, as written and as what the variables make of it", () => {
    const { code, stderr } = builder.build("FROM scratch AS first\nARG v=1\nFROM base:${v}\n");
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/Dockerfile:3:6: FROM base:\$\{v\} becomes /),
    });
    expect(stderr).toContain('"base:": invalid reference');
    expect(builder.build("FROM base:\n").stderr).toMatch(/Dockerfile:1:6: invalid reference/);
  });

  test("the archive of an ADD", () => {
    const archive = builder.at("whole.tar.gz");
    execFileSync("tar", ["-C", builder.at("base"), "-czf", archive, "etc"]);
    const context = builder.context({ Dockerfile: "FROM base:1\nADD cut.tar.gz /d/\n" });
    writeFileSync(join(context, "cut.tar.gz"), readFileSync(archive).subarray(0, 100));
    expect(builder.image("build", [context]).stderr).toMatch(/Dockerfile:2:1: the archive "cut.tar.gz": /);
  });
});

describe.skipIf(why !== null)("the image", () => {
  test("is the same again with SOURCE_DATE_EPOCH, and nothing of its base changes", () => {
    const text = "FROM base:1\nWORKDIR /w\nCOPY a .\nRUN echo 1 > /new; rm /etc/group\nENV x=1\n";
    const env = { ...process.env, SOURCE_DATE_EPOCH: "1000000000" };
    const context = builder.context({ Dockerfile: text, a: "1" });
    const ids = [1, 2].map(() => builder.image("build", ["--no-cache", "-t", "same:1", context], { env }).stdout);
    expect(ids[1]).toBe(ids[0]);
    const [base, image] = [builder.inspect("base:1"), builder.inspect("same:1")];
    expect(image.created).toBe("2001-09-09T01:46:40.000Z");
    expect(image.history.slice(0, base.history.length)).toEqual(base.history);
    expect(image.layers[0].digest).toBe(base.layers[0].digest);
  });

  test("has as many entries of history with layers as it has layers; --squash makes one layer", () => {
    const text = "FROM base:1\nRUN true\nWORKDIR /tmp\nRUN echo 1 > /a\nRUN rm /a; echo 2 > /b\nENV a=1\n";
    const count = (name: string) => {
      const { layers, history } = builder.inspect(name);
      const told = history.filter((entry: { empty_layer?: boolean }) => !entry.empty_layer).length;
      expect(told).toBe(layers.length);
      return layers.length;
    };
    builder.build(text, {}, "-t", "many:1");
    expect(count("many:1")).toBe(3);
    const tree = builder.tree(text, {}, "--squash", "-t", "squashed:1");
    expect(count("squashed:1")).toBe(2);
    expect(tree.filter((line) => /^[ab]:/.test(line))).toEqual(['b: 644 0:0 "2\\n"']);
  });

  test("has no layer of a step that changes nothing, where mount points were made for it, too", () => {
    const bare =
      "FROM base:1 AS b\nFROM scratch\nCOPY --from=b /bin /bin\nCOPY --from=b /etc/passwd /etc/\nCOPY a /srv/d/\nENV PATH=/bin\n";
    builder.build(bare, { a: "" }, "-t", "bare:1");
    const digests = (name: string): string[] =>
      builder.inspect(name).layers.map(({ digest }: { digest: string }) => digest);
    const text =
      "FROM bare:1\nRUN true\nRUN --mount=type=tmpfs,target=/srv/d/mounted true\nRUN --mount=type=tmpfs,target=/srv/d/m touch /new\n";
    const context = builder.context({ Dockerfile: text });
    const archive = builder.at("still.tar");
    builder.must("build", "-t", "still:1", context);
    expect(digests("still:1").slice(0, -1)).toEqual(digests("bare:1"));
    builder.must("save", "--output", archive, "still:1");
    const blob = `blobs/${digests("still:1").at(-1)?.replace(":", "/")}`;
    const layer = execFileSync("tar", ["-xOf", archive, blob], { maxBuffer: 1 << 24 });
    expect(execFileSync("tar", ["-tz"], { input: layer, encoding: "utf8" })).toBe("new\n");
  });

  test("has a layer of a directory alone that was made, changed, or made anew", () => {
    builder.build("FROM base:1\nRUN mkdir -p /opt/a/b /opt/c/d\n", {}, "-t", "directories:1");
    const { layers } = builder.inspect("directories:1");
    const steps = [
      "mkdir /opt/a/b/new",
      "chmod 700 /opt/a/b",
      "chown 7:8 /opt/a",
      "touch -d @5 /opt/c/d",
      "rm -r /opt/c && mkdir -p /opt/c/d",
    ];
    builder.build(`FROM directories:1\n${steps.map((step) => `RUN ${step}\n`).join("")}`, {}, "-t", "changed:1");
    expect(builder.inspect("changed:1").layers).toHaveLength(layers.length + steps.length);
  });

  test("ONBUILD runs once in a direct child, of an image and of a stage", () => {
    builder.build("FROM base:1\nONBUILD RUN echo run >> /on\n", {}, "-t", "on:1");
    expect(lineOf(builder.tree("FROM on:1\n", {}, "-t", "child:1"), "on")).toBe('644 0:0 "run\\n"');
    expect(lineOf(builder.tree("FROM child:1\nRUN true\n"), "on")).toBe('644 0:0 "run\\n"');
    expect(lineOf(builder.tree("FROM base:1 AS p\nONBUILD RUN echo p > /p\nFROM p\n"), "p")).toBe('644 0:0 "p\\n"');
  });

  test("goes to a file by its id, and as an archive", () => {
    const iid = builder.at("iid");
    const { stdout } = builder.build(
      "FROM base:1\nENV z=1\n",
      {},
      "--iidfile",
      iid,
      "-t",
      "out:1",
      "--compression",
      "zstd",
      "--label",
      "l=1",
    );
    expect(readFileSync(iid, "utf8")).toBe(stdout.trim());
    const archive = builder.at("out.tar");
    expect(builder.build("FROM base:1\nENV z=1\n", {}, "-t", "out:1", "-o", `type=oci,dest=${archive}`).code).toBe(0);
    expect(execFileSync("tar", ["-t", "-f", archive], { encoding: "utf8" })).toContain("index.json");
    rmSync(archive);
  });

  test("for which there is no place is refused before the first step", () => {
    const full = builder.at("full");
    mkdirSync(join(full, "one"), { recursive: true });
    for (const [flags, words] of [
      [["--iidfile", builder.at("none/iid")], "--iidfile"],
      [["--iidfile", full], "is a directory"],
      [["-o", full], "is not empty"],
      [["-o", "/proc/version/new"], "is not a directory"],
      [["-o", `type=tar,dest=${builder.at("none/out.tar")}`], "is not there"],
      [["-o", `type=oci,dest=${builder.at("none/out.tar")}`], "is not there"],
      [["-o", `type=docker,dest=${full}`], "is a directory"],
    ] as const) {
      const { code, stderr } = builder.build("FROM base:1\nRUN echo a step\n", {}, "--no-cache", ...flags);
      expect({ flags, code }).toEqual({ flags, code: 1 });
      expect(stderr).toContain(words);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  test("saved to a device goes there, and does not replace it; to a directory it is refused", () => {
    const device = builder.at("null");
    execFileSync("mknod", [device, "c", "1", "3"]);
    expect(builder.image("save", ["-q", "-o", device, "base:1"]).code).toBe(0);
    expect(statSync(device).isCharacterDevice()).toBe(true);
    expect(builder.image("save", ["-q", "-o", builder.path, "base:1"]).stderr).toContain("is a directory");
  });

  test("--explain says what would be done, and does nothing", () => {
    const { stdout, code } = builder.build(
      "FROM base:1 AS x\nRUN false\nFROM base:1\nARG v=1\nCOPY --chown=1 a $v/\n",
      {},
      "--explain",
      "-t",
      "explained:1",
    );
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.replace(/ \S*Dockerfile/, " Dockerfile"))).toEqual([
      "stage 0 (x): not needed",
      "stage 1: FROM base:1",
      "  Dockerfile:4: change the configuration: ARG v=1",
      "  Dockerfile:5: copy a from the context to /1/ (owner 1)",
      "",
    ]);
    expect(builder.image("inspect", ["explained:1"]).code).not.toBe(0);
  });
});
