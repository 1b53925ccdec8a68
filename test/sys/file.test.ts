import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as file from "../../src/sys/file.ts";

let directory: string;
const at = (name: string) => join(directory, name);

beforeAll(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "tsrunc-file-"));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

describe("reading and writing", () => {
  it("keeps every character, also beyond what is read at once", () => {
    const text = `\ufeffä€😀\n${"0123456789".repeat(20_000)}end`;
    file.writeFile(at("text"), text);
    expect(file.readText(at("text"))).toBe(text);
    expect(fs.readFileSync(at("text"), "utf8")).toBe(text);
  });

  it("replaces what was there, unless it must be new", () => {
    file.writeFile(at("short"), "a long text");
    file.writeFile(at("short"), "", { mode: 0o600 });
    expect(file.readText(at("short"))).toBe("");
    expect(() => file.writeFile(at("short"), "x", { exclusive: true })).toThrow("EEXIST");
  });

  it("reads files of /proc, which have no size", () => {
    expect(file.readText("/proc/self/status")).toMatch(/^Name:/);
  });

  it("says what it could not open", () => {
    expect(() => file.readText(at("nothing"))).toThrow(`open ${at("nothing")}: ENOENT: no such file or directory`);
    expect(() => file.readText(directory)).toThrow(`read ${directory}: EISDIR: is a directory`);
  });
});

function quietly(act: () => void): void {
  try {
    act();
  } catch {}
}

describe("links", () => {
  it("are read, and resolved to the real path", () => {
    fs.mkdirSync(at("real"));
    fs.symlinkSync("real", at("alias"));
    expect(file.readLink(at("alias"))).toBe("real");
    expect(file.realPath(at("alias/../alias"))).toBe(fs.realpathSync(at("real")));
  });
});

describe("directories", () => {
  it("are made with their parents, once", () => {
    file.mkdirAll(at("a/b/c"), 0o700);
    file.mkdirAll(at("a/b/c"));
    expect(fs.statSync(at("a/b/c")).mode & 0o777).toBe(0o700);
    fs.writeFileSync(at("plain"), "");
    expect(() => file.mkdirAll(at("plain"))).toThrow("EEXIST");
    expect(() => file.mkdirAll(at("plain/x"))).toThrow("ENOTDIR");
    // procfs says ENOENT, though the parent is there: trying again until it was made went on for ever.
    expect(() => file.mkdirAll("/proc/no/such")).toThrow("ENOENT");
  });

  it("list their entries, however many", () => {
    fs.mkdirSync(at("many/sub"), { recursive: true });
    const names = Array.from({ length: 1500 }, (_, index) => `a-name-of-some-length-${index}`);
    for (const name of names) fs.writeFileSync(join(at("many"), name), "");
    const entries = file.readDirectory(at("many"));
    expect(entries.map(({ name }) => name).sort()).toEqual([...names, "sub"].sort());
    expect(entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name)).toEqual(["sub"]);
  });

  it("list and take names that are not UTF-8, which are bytes", () => {
    const [name, target] = [Buffer.from("a\xff\xe2\x82b", "latin1"), Buffer.from("to\xfe", "latin1")];
    const path = (...parts: Buffer[]) => Buffer.concat([Buffer.from(`${at("bytes")}/`), ...parts]);
    fs.mkdirSync(path(name), { recursive: true });
    fs.symlinkSync(target, path(name, Buffer.from("/link")));
    const [entry] = file.readDirectory(at("bytes"));
    expect(entry).toEqual({ name: "a\udcff\udce2\udc82b", isDirectory: true });
    const directory = `${at("bytes")}/${entry?.name}`;
    expect(file.readLink(`${directory}/link`)).toBe("to\udcfe");
    expect(file.realPath(directory)).toBe(directory);
    file.rename(`${directory}/link`, `${directory}/\udc80`);
    expect(fs.readdirSync(path(name), "buffer")).toEqual([Buffer.from([0x80])]);
    file.removeAll(at("bytes"));
    expect(fs.existsSync(at("bytes"))).toBe(false);
  });

  it.skipIf(spawnSync("python3", ["--version"]).status !== 0)(
    "go without what a link that comes into their place leads to",
    { timeout: 60_000 },
    () => {
      const [tree, kept] = [at("tree"), at("kept-directory")];
      fs.mkdirSync(kept);
      const names = Array.from(
        { length: 8 },
        (_, index) => [join(tree, `d${index}`), join(tree, `l${index}`)] as const,
      );
      const attacker = spawn("python3", [join(import.meta.dirname, "../support/exchange.py"), ...names.flat()]);
      try {
        for (let round = 0; round < 100; round++) {
          fs.mkdirSync(tree, { recursive: true });
          fs.writeFileSync(join(kept, "file"), "");
          for (const [directory, link] of names) {
            // By single calls: what removes more would follow the link, too.
            for (const path of [directory, link]) {
              quietly(() => fs.unlinkSync(path));
              quietly(() => fs.rmdirSync(path));
            }
            quietly(() => fs.mkdirSync(directory));
            quietly(() => fs.symlinkSync(kept, link));
          }
          // What was exchanged meanwhile may be there still.
          quietly(() => file.removeAll(tree));
          expect(fs.readdirSync(kept), `round ${round}`).toEqual(["file"]);
        }
      } finally {
        attacker.kill("SIGKILL");
      }
    },
  );

  it("go with all that is in them, but not with what links in them lead to", () => {
    fs.writeFileSync(at("kept"), "");
    fs.symlinkSync(at("kept"), join(at("many"), "sub/link"));
    fs.symlinkSync(at("real"), join(at("many"), "sub/directory-link"));
    file.removeAll(at("many"));
    expect([fs.existsSync(at("many")), fs.existsSync(at("kept")), fs.existsSync(at("real"))]).toEqual([
      false,
      true,
      true,
    ]);
    file.removeAll(at("many"));
  });
});
