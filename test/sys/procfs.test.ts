import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { Driver, runCommand } from "../support/driver.ts";
import { whyNotPrivileged } from "../support/privileges.ts";

const impossible = whyNotPrivileged();
const because = impossible === null ? "" : ` (${impossible})`;
const driver = new Driver("test/sys/procfs.driver.ts");
afterAll(() => driver[Symbol.dispose]());

const release = readFileSync("/proc/sys/kernel/ostype", "utf8").trim();

/** What the driver finds after a shell script has changed the mounts. */
function found(script: string, namespaces: string[], ...paths: string[]): string[] {
  const command = driver
    .command(...paths)
    .map((part) => `'${part}'`)
    .join(" ");
  const { stdout, stderr } = runCommand(["unshare", ...namespaces, "sh", "-ec", `${script}\nexec ${command}`]);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as string[];
}

describe("a file of procfs", () => {
  test("is opened by its path, through self", () => {
    const { stdout } = driver.run("sys/kernel/ostype", "self/comm");
    expect(JSON.parse(stdout)).toEqual([release, expect.stringContaining("bun")]);
  });

  test("that does not exist fails by its path", () => {
    expect(JSON.parse(driver.run("self/no-such-file").stdout)[0]).toMatch(/open \/proc\/self\/no-such-file: ENOENT/);
  });

  test("may not be left by dots or magic links", () => {
    const [dots, magic] = JSON.parse(driver.run("../etc/passwd", "self/root/etc/passwd").stdout) as string[];
    expect(dots).toMatch(/EXDEV/);
    expect(magic).toMatch(/ELOOP|EXDEV/);
  });

  test.skipIf(impossible !== null)(`is itself where another file is bound over it${because}`, () => {
    const script = "mount --bind /proc/version /proc/sys/kernel/ostype";
    expect(found(script, ["--mount"], "sys/kernel/ostype")).toEqual([release]);
  });

  test.skipIf(impossible !== null)(`is itself where a tmpfs covers its directory${because}`, () => {
    expect(found("mount -t tmpfs none /proc/sys", ["--mount"], "sys/kernel/ostype")).toEqual([release]);
  });

  // What is mounted below /proc is locked there: the kernel gives nobody in it a procfs without, and the file is refused.
  const covered = /^\S+ \/proc\//m.test(readFileSync("/proc/self/mounts", "utf8"));
  const reason = impossible ?? (covered ? "something is mounted below /proc here" : null);
  test.skipIf(reason !== null)(`is itself in a user namespace, too${reason ? ` (${reason})` : ""}`, () => {
    const script = "mount -t tmpfs none /proc/sys";
    expect(found(script, ["--mount", "--user", "--map-root-user"], "sys/kernel/ostype")).toEqual([release]);
  });
});
