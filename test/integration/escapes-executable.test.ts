/**
 * The runtime's executable, attacked from a container through `/proc/<pid>/exe` (CVE-2019-5736).
 *
 * The attack holds whatever program a process of the container's runs, by a descriptor, until that can be opened for writing: it
 * is, once the program has ended, if its mount lets it. Nothing is written then; to have got so far is enough.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  type Edit,
  makeBundle,
  newId,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

/** Everything that could help a container to reach a mount of the host's. */
const powerful: Edit = (config) => {
  for (const set of ["bounding", "effective", "permitted"] as const) {
    config.process.capabilities[set]?.push("CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH");
  }
};

/** Shell functions: `attack DIRECTORY`, with the directory of a process in /proc. */
const ATTACK = `
  attack() { (
    exec 9< $1/exe || exit
    # Of what is held: the process may execute the container's own program at any time.
    program=$(readlink /proc/self/fd/9) || exit
    case "$program" in /bin/*) exit;; esac
    echo "$program" >> /tmp/held
    mount -o remount,bind,rw none /proc/self/fd/9
    mount -o remount,rw none /proc/self/fd/9
    : > /tmp/bound; mount -o bind /proc/self/fd/9 /tmp/bound && mount -o remount,bind,rw none /tmp/bound
    tries=0
    while [ $tries -lt 3000 ]; do
      { true >> /proc/self/fd/9; } && echo "$program" >> /tmp/opened && exit
      tries=$((tries + 1))
    done
    { true >> /tmp/bound; } && [ -s /tmp/bound ] && echo bound >> /tmp/opened
    umount /tmp/bound
    echo > /tmp/tried
  ) 2> /dev/null; }`;

/** A program whose interpreter is whatever executes it. @see elf(5) */
function programWithInterpreter(interpreter: string): Buffer {
  const path = Buffer.from(`${interpreter}\0`);
  const headers = 64 + 56;
  const file = Buffer.alloc(headers + path.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(process.arch === "arm64" ? 183 : 62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(64n, 32); // the program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(3, 64); // PT_INTERP
  file.writeUInt32LE(4, 68);
  file.writeBigUInt64LE(BigInt(headers), 72);
  file.writeBigUInt64LE(BigInt(path.length), 96);
  path.copy(file, headers);
  return file;
}

/** What the attack has written in the container's /tmp; "" where it has not. */
function written(bundle: string, name: string): string {
  const path = join(bundle, "rootfs/tmp", name);
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

const SELF = "/proc/self/exe";

test("cannot be opened for writing through an init that waited for start, by one with CAP_SYS_ADMIN", async () => {
  const id = newId();
  const { path } = makeBundle("sleep 1000", powerful);
  succeed(["create", "--bundle", path, id]);
  succeed(["exec", "--detach", id, "sh", "-c", `${ATTACK}\nattack /proc/1`]);
  await until("the attack holds the executable", () => written(path, "held") !== "");
  // Nobody runs it any more.
  succeed(["start", id]);
  await until("the attack has ended", () => written(path, "tried") + written(path, "opened") !== "");
  expect(written(path, "opened")).toBe("");
});

describe("cannot be opened for writing when a container makes an exec run it", () => {
  let id: string;
  let bundle: string;

  beforeEach(async (context) => {
    if (context.task.mode === "skip") return;
    const loop = `${ATTACK}\necho > /tmp/begun\nwhile [ ! -e /tmp/stop ]; do for process in /proc/[0-9]*; do attack $process; done; done`;
    id = startDetached(loop, (config, made) => {
      powerful(config, made);
      const write = (name: string, content: string | Buffer) => {
        writeFileSync(join(made.rootfs, name), content);
        chmodSync(join(made.rootfs, name), 0o755);
      };
      write("bin/script", `#!${SELF}\n`);
      write("bin/interpreted", programWithInterpreter(SELF));
    });
    bundle = state(id).bundle;
    await until("the attack has begun", () => existsSync(join(bundle, "rootfs/tmp/begun")));
  });

  test.each([
    ["as its program", SELF],
    ["by the first line of a script", "/bin/script"],
    ["as the interpreter of a program", "/bin/interpreted"],
  ])("%s", (_, program) => {
    for (let times = 0; times < 25; times++) tsrunc(["exec", id, program]);
    expect(written(bundle, "opened")).toBe("");
    writeFileSync(join(bundle, "rootfs/tmp/stop"), "");
    // The attack was one: it had a program in its hands that is not the container's.
    expect(written(bundle, "held")).toMatch(/./);
  });
});
