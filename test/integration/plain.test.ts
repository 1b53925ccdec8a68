/** The engine that starts anew, out of the file of its snapshot: `tsrunc-plain`. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { isSnapshot } from "../../src/engine/snapshot.ts";
import { cannotRun, directory, makeBundle, newId, runtime, state, stateRoot, useContainers } from "./harness.ts";

useContainers();

const plain = join(dirname(runtime), "tsrunc-plain");
const reason = cannotRun() ?? (existsSync(plain) ? null : "needs tsrunc-plain, which is beside a snapshot");

/** The caller asks for it, too, which is not the caller's to ask. */
const ENVIRONMENT = { PATH: process.env.PATH ?? "", _TSRUNC_PLAIN: "1" };

test.skipIf(reason !== null)("takes no room of its own: what is installed is 150 MB at most", () => {
  const installed = dirname(runtime);
  const sizes = readdirSync(installed).map((name) => statSync(join(installed, name)).size);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(150e6);
});

interface Mapping {
  start: number;
  isExecutable: boolean;
  inode: number;
}

/** The mappings of a created init's executable, and the first of memory without a file. */
function memoryOf(program: string): { ofEngine: Mapping[]; heap: number } {
  const id = newId();
  const args = ["--root", stateRoot(), "create", "--bundle", makeBundle("true").path, id];
  // The init would keep pipes open.
  expect(spawnSync(program, args, { stdio: "ignore", env: ENVIRONMENT }).status).toBe(0);
  const { pid } = state(id);
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").matchAll(/^(\w+)-\w+ (\S+) \w+ \S+ (\d+) *(.*)$/gm);
  const mappings = Array.from(lines, ([, start = "", permissions = "", inode = "", path = ""]) => ({
    ...{ start: Number.parseInt(start, 16), isExecutable: permissions.includes("x"), inode: Number(inode), path },
  }));
  const engine = mappings.find(({ isExecutable, inode }) => isExecutable && inode !== 0)?.inode;
  const heap = mappings.find(({ inode, path }) => inode === 0 && path === "")?.start ?? 0;
  return { ofEngine: mappings.filter(({ inode }) => inode === engine), heap };
}

test.skipIf(reason !== null)(`runs a container, and hands nothing of its own on (${reason ?? ""})`, () => {
  const args = ["--root", stateRoot(), "run", "--bundle", makeBundle("env; exit 42").path, newId()];
  const { status, stdout, stderr } = spawnSync(plain, args, { encoding: "utf8", env: ENVIRONMENT });
  expect({ status, stderr }).toEqual({ status: 42, stderr: "" });
  expect(stdout).toContain("PATH=");
  expect(stdout).not.toContain("TSRUNC");
});

test.skipIf(reason !== null)("has nothing of the snapshot in its memory, and other addresses each time", () => {
  expect(isSnapshot(readFileSync(join(dirname(runtime), "tsrunc-engine")))).toBe(true);
  const END_OF_PROGRAM = 0x1000_0000;
  const beyond = ({ ofEngine }: ReturnType<typeof memoryOf>) => ofEngine.filter(({ start }) => start >= END_OF_PROGRAM);
  const [first, second, snapshot] = [memoryOf(plain), memoryOf(plain), memoryOf(runtime)];
  expect(first.ofEngine.length).toBeGreaterThan(3);
  expect([beyond(first), beyond(second)]).toEqual([[], []]);
  expect(first.heap).not.toBe(second.heap);
  // It goes on from there whatever the caller's environment says.
  expect(beyond(snapshot).length).toBeGreaterThan(10);
});

// A snapshot has them by their bytes; the engine itself, when it starts, makes U+FFFD of what is not UTF-8.
test.skipIf(reason !== null)(
  `hands the caller's variables to a hook as the bytes that they are (${reason ?? ""})`,
  () => {
    const seen = join(directory(), "seen");
    const { path } = makeBundle("true", (config) => {
      // Only a hook without an environment of its own has the runtime's.
      const args = ["sh", "-c", `printf %s "$ODD" > ${seen}`];
      config.hooks = { createRuntime: [{ path: "/bin/sh", args }] };
    });
    const script = 'ODD="$(printf "a\\377b")" exec "$0" "$@"';
    const args = ["-c", script, plain, "--root", stateRoot(), "run", "--bundle", path, newId()];
    const { status, stderr } = spawnSync("sh", args, { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(readFileSync(seen)).toEqual(Buffer.from([0x61, 0xff, 0x62]));
  },
);
