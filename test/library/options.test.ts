/** What options become: arguments of the executable, and another config.json. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { BuildEvent as ImageBuildEvent } from "../../src/image/build/json-progress.ts";
import type { ProgressEvent } from "../../src/image/progress/json-reporter.ts";
import { change } from "../../src/library/bundle-config.ts";
import { findExecutable } from "../../src/library/executable.ts";
import type { BuildEvent, TransferEvent } from "../../src/library/progress.ts";
import { parseRecords, reasonIn } from "../../src/library/record.ts";
import { imageRunArguments } from "../../src/library/run-options.ts";

describe("the executable", () => {
  let work: string;
  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), "tsrunc-find-"));
    vi.stubEnv("TSRUNC", undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(work, { recursive: true, force: true });
  });

  function program(directory: string, mode = 0o755): string {
    mkdirSync(join(work, directory));
    const path = join(work, directory, "tsrunc");
    writeFileSync(path, "");
    chmodSync(path, mode);
    return path;
  }

  test("is the one that is named, then that of the environment, then one of PATH", () => {
    const [named, ofEnvironment, inPath] = [program("a"), program("b"), program("c")];
    vi.stubEnv("PATH", `relative:${join(work, "nosuch")}:${join(work, "c")}`);
    expect(findExecutable()).toBe(inPath);
    vi.stubEnv("TSRUNC", ofEnvironment);
    expect(findExecutable()).toBe(ofEnvironment);
    expect(findExecutable({ executable: named })).toBe(named);
  });

  test("is missed with all places where it was looked for", () => {
    const nobodys = program("d", 0o644);
    vi.stubEnv("PATH", work);
    expect(() => findExecutable()).toThrow(
      /^no tsrunc: @tsrunc\/linux-\w+ is not installed .* \$PATH; name one by .* \$TSRUNC$/,
    );
    expect(() => findExecutable({ executable: join(work, "nosuch") })).toThrow(
      /nosuch, which the option executable names, is not there/,
    );
    vi.stubEnv("TSRUNC", join(work, "nosuch"));
    expect(() => findExecutable()).toThrow(/which \$TSRUNC names/);
    if (process.geteuid?.() !== 0) expect(() => findExecutable({ executable: nobodys })).toThrow(/not executable/);
  });
});

test("options of an image's container are one word each, so that no value is taken for an option", () => {
  const args = imageRunArguments({
    ...{ image: "a", args: ["--x"], env: { A: "-b", C: "d e" }, user: "u", cwd: "/w", hostname: "h", readOnly: true },
    ...{ volumes: [{ source: "v", destination: "/v", options: ["ro", "z"] }], publish: ["80:80"], network: "pasta" },
    ...{ limits: { memory: 5, cpus: 0.5, pids: 7 }, annotations: { k: "v" }, entrypoint: "", stopTimeout: 0 },
  });
  expect(args).toEqual([
    ...["--entrypoint=", "--env=A=-b", "--env=C=d e", "--user=u", "--workdir=/w", "--hostname=h", "--volume=v:/v:ro,z"],
    ...["--read-only", "--memory=5", "--cpus=0.5", "--pids-limit=7", "--network=pasta", "--publish=80:80"],
    ...["--annotation=k=v", "--stop-timeout=0", "--", "a", "--x"],
  ]);
});

describe("options of a bundle's container", () => {
  const spec = {
    ociVersion: "1.2.0",
    process: { cwd: "/", args: ["a"], env: ["A=1", "AB=2"], user: { uid: 1, gid: 1 } },
    root: { path: "rootfs" },
    linux: {
      namespaces: [{ type: "mount" as const }, { type: "network" as const, path: "/x" }],
      resources: { pids: { limit: 1 } },
    },
  };

  test("change what they name, and nothing else", () => {
    const before = structuredClone(spec);
    expect(change(spec, { bundle: "b" })).toEqual(spec);
    expect(change(spec, { bundle: "b", env: { A: "x", C: "y" } }).process?.env).toEqual(["AB=2", "A=x", "C=y"]);
    expect(change(spec, { bundle: "b", network: "host" }).linux?.namespaces).toEqual([{ type: "mount" }]);
    expect(change(spec, { bundle: "b", network: "none" }).linux?.namespaces).toEqual([
      { type: "mount" },
      { type: "network" },
    ]);
    expect(change(spec, { bundle: "b", limits: { memory: "1m", cpus: 1.5 } }).linux?.resources).toEqual({
      ...{ pids: { limit: 1 }, memory: { limit: 1 << 20 }, cpu: { period: 100_000, quota: 150_000 } },
    });
    expect(spec).toEqual(before);
  });

  test("are refused where they mean nothing", () => {
    expect(() => change(spec, { bundle: "b", limits: { memory: "a lot" } })).toThrow(/^limits.memory: "a lot": bytes/);
  });
});

test("records are told from other lines, and the last error is the reason", () => {
  const records = parseRecords(
    '{"level":"warning","msg":"odd"}\n{"level":"error","msg":"first"}\nplain {"level":"error"}\n{"level":"error","time":"t","msg":"last"}\n{"level":',
  );
  expect(records.map(({ message }) => message)).toEqual(["odd", "first", "last"]);
  expect(reasonIn(records)).toBe("last");
  expect(reasonIn([])).toBe(null);
});

test("events are of the types that the executable writes", () => {
  const build = (event: ImageBuildEvent): BuildEvent => event;
  const transfer = (event: ProgressEvent): TransferEvent => event;
  expect(build({ kind: "warning", message: "" }).kind).toBe("warning");
  expect(transfer({ kind: "note", message: "" }).kind).toBe("note");
});
