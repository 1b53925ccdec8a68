import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadProcess } from "../../src/config/load-process.ts";
import type { Process } from "../../src/config/types.ts";
import { execProcess } from "../../src/runtime/exec-process.ts";
import type { ExecProcess } from "../../src/runtime/options.ts";

const own: Process = {
  terminal: true,
  user: { uid: 5, gid: 6, additionalGids: [7] },
  args: ["sh"],
  env: ["A=1"],
  cwd: "/own",
  capabilities: { bounding: ["CAP_CHOWN"], effective: [], permitted: [] },
  noNewPrivileges: true,
};
const spec = { ociVersion: "1.3.0", process: own };

type Flags = Extract<ExecProcess, { kind: "flags" }>;
const flags = (given: Partial<Flags>): Flags => ({
  kind: "flags",
  args: ["ls"],
  tty: false,
  additionalGids: [],
  env: [],
  capabilities: [],
  ...given,
});

describe("execProcess from flags", () => {
  it("takes over the container's own process, but for arguments and terminal", () => {
    expect(execProcess(flags({}), spec)).toEqual({ ...own, args: ["ls"], terminal: false });
  });

  it('refuses the id that the kernel takes for "no change", with which the process stayed root', () => {
    for (const user of ["4294967295", "0:4294967295"]) {
      expect(() => execProcess(flags({ user }), spec)).toThrow(/bad [ug]id: "4294967295".*up to 4294967294/);
    }
    expect(() => execProcess(flags({ additionalGids: [1, 4294967295] }), spec)).toThrow(/bad gid: 4294967295/);
    const last = execProcess(flags({ user: "4294967294:4294967294", additionalGids: [4294967294] }), spec);
    expect(last.user).toEqual({ uid: 4294967294, gid: 4294967294, additionalGids: [7, 4294967294] });
  });

  it("refuses a directory that is not absolute", () => {
    expect(() => execProcess(flags({ cwd: "x" }), spec)).toThrow(/--cwd "x": must be an absolute path/);
  });

  it("puts the given environment, directory and terminal over it", () => {
    const process = execProcess(flags({ env: ["A=2", "B=3"], cwd: "/x", tty: true }), spec);
    expect(process).toMatchObject({ env: ["A=1", "A=2", "B=3"], cwd: "/x", terminal: true });
  });

  it.each([
    ["9", { uid: 9, gid: 6 }],
    ["9:10", { uid: 9, gid: 10 }],
    ["0:0", { uid: 0, gid: 0 }],
  ])("takes the user %s for numbers", (user, expected) => {
    expect(execProcess(flags({ user }), spec).user).toMatchObject(expected);
  });

  it.each(["root", "1:wheel", "-1", "4294967296", "1:", "1:2:3"])("refuses the user %s", (user) => {
    expect(() => execProcess(flags({ user }), spec)).toThrow(/bad (uid|gid)/);
  });

  it("adds groups to the container's", () => {
    expect(execProcess(flags({ additionalGids: [8] }), spec).user?.additionalGids).toEqual([7, 8]);
  });

  it("adds capabilities, but no inheritable or ambient ones where the container has none (CVE-2022-29162)", () => {
    const { capabilities } = execProcess(flags({ capabilities: ["CAP_KILL"] }), spec);
    expect(capabilities).toEqual({
      bounding: ["CAP_CHOWN", "CAP_KILL"],
      effective: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
    });
  });

  it("can take no_new_privs back", () => {
    expect(execProcess(flags({ noNewPrivileges: false }), spec).noNewPrivileges).toBe(false);
  });

  it("refuses to run nothing", () => {
    expect(() => execProcess(flags({ args: [] }), spec)).toThrow("exec args cannot be empty");
  });
});

describe("execProcess from a file", () => {
  it("takes the process as it stands there", () => {
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-exec-"));
    const path = join(directory, "process.json");
    writeFileSync(path, JSON.stringify({ args: ["id"], cwd: "/" }));
    expect(execProcess({ kind: "file", path, load: loadProcess }, spec)).toEqual({ args: ["id"], cwd: "/" });
    rmSync(directory, { recursive: true });
  });
});
