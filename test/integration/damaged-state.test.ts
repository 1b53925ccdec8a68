import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  commandLine,
  directory,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

const root = () => commandLine([])[2] as string;

const damages: [string, (path: string) => void][] = [
  ["empty", (path) => truncateSync(path, 0)],
  ["cut", (path) => truncateSync(path, 100)],
  ["missing", (path) => rmSync(path)],
  ["null", (path) => writeFileSync(path, "null")],
  ["of wrong types", (path) => writeFileSync(path, '{"init":"x","cgroup":[]}')],
  ["a FIFO", (path) => execFileSync("sh", ["-c", 'rm "$0"; mkfifo "$0"', path])],
  ["a directory", (path) => execFileSync("sh", ["-c", 'rm "$0"; mkdir "$0"', path])],
  ["another container's", (path) => writeFileSync(path, readFileSync(path, "utf8").replace('"id":"', '"id":"x'))],
];

describe.runIf(isTsrunc)("a state.json that is", () => {
  test.each(damages)(
    "%s: is reported in one line, and delete --force leaves nothing of what the id tells",
    async (_, damage) => {
      const id = startDetached();
      const { pid } = state(id);
      damage(join(root(), id, "state.json"));
      for (const args of [
        ["state", id],
        ["kill", id, "KILL"],
        ["exec", id, "true"],
        ["delete", id],
      ]) {
        const { code, stderr: said } = tsrunc(args);
        expect(code).not.toBe(0);
        expect(said).toMatch(/state\.json: is (damaged|missing)/);
        expect(said).not.toMatch(/internal error|undefined/);
      }
      const { code, stderr } = tsrunc(["delete", "--force", id]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("poststop hooks were not run") });
      await until("the process is gone", () => !existsSync(`/proc/${pid}`));
      expect(refused(["state", id])).toContain("does not exist");
    },
  );
});

test.runIf(isTsrunc)("delete --force of a damaged container says that its class of service may be left", () => {
  const id = startDetached();
  const config = join(root(), id, "config.json");
  const spec = JSON.parse(readFileSync(config, "utf8"));
  writeFileSync(config, JSON.stringify({ ...spec, linux: { ...spec.linux, intelRdt: { memBwSchema: "MB:0=20" } } }));
  truncateSync(join(root(), id, "state.json"), 0);
  const { code, stderr } = tsrunc(["delete", "--force", id]);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringContaining(`(intelRdt) was made for it: ${id} in the resctrl`),
  });
});

describe.runIf(isTsrunc)("a config.json in the container's directory that is", () => {
  test.each(damages.slice(0, 2))("%s: does not keep delete --force from its work", (_, damage) => {
    const id = startDetached();
    damage(join(root(), id, "config.json"));
    expect(tsrunc(["exec", id, "true"]).stderr).toContain("config.json: is damaged");
    expect(tsrunc(["delete", "--force", id])).toMatchObject({ code: 0, stderr: expect.stringContaining("is damaged") });
    expect(refused(["state", id])).toContain("does not exist");
  });
});

describe.runIf(isTsrunc)("a --root that belongs to another user", () => {
  test("is not believed: its hooks do not run as root", () => {
    const planted = join(directory(), "planted");
    const id = newId();
    mkdirSync(planted);
    succeed(["create", "--bundle", makeBundle("true").path, id], { root: planted });
    const config = join(planted, id, "config.json");
    const proof = join(directory(), "hook-ran");
    const hooks = { poststop: [{ path: "/bin/touch", args: ["touch", proof] }] };
    writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), hooks }));
    try {
      for (const [path, owner] of [
        [planted, 1000],
        [join(planted, id), 1000],
      ] as const) {
        chownSync(path, owner, owner);
        for (const args of [
          ["delete", "--force", id],
          ["start", id],
          ["kill", id],
        ]) {
          expect(refused(args, { root: planted })).toContain("belongs to user 1000");
        }
        expect(existsSync(proof)).toBe(false);
        chownSync(path, 0, 0);
      }
    } finally {
      succeed(["delete", "--force", id], { root: planted });
    }
  });
});

describe.runIf(isTsrunc)("what is no container below --root", () => {
  test("such as a symlink to one: neither it nor that is touched", () => {
    const id = startDetached();
    symlinkSync(id, join(root(), "alias"));
    for (const args of [
      ["state", "alias"],
      ["kill", "alias"],
      ["delete", "alias"],
      ["pause", "alias"],
    ])
      expect(refused(args)).toContain("container does not exist: alias");
    succeed(["delete", "--force", "alias"]);
    expect(state(id).status).toBe("running");
    expect(succeed(["list", "-q"])).toBe(`${id}\n`);
    rmSync(join(root(), "alias"));
  });

  test("such as somebody's data: delete leaves it, and a directory that a killed create has left goes", () => {
    const [data, unwritten] = [join(root(), "data"), join(root(), "unwritten")];
    for (const directory of [data, unwritten]) mkdirSync(directory, { recursive: true });
    writeFileSync(join(data, "thesis"), "years of work");
    writeFileSync(join(unwritten, "state.json.new"), "{");
    for (const flags of [[], ["--force"]]) {
      expect(refused(["delete", ...flags, "data"])).toMatch(/container does not exist: data: .* holds something else/);
      expect(readFileSync(join(data, "thesis"), "utf8")).toBe("years of work");
    }
    succeed(["delete", "--force", "unwritten"]);
    expect(existsSync(unwritten)).toBe(false);
    rmSync(data, { recursive: true });
  });
});
