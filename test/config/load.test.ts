/** Loading: what is wrong with the file, in one line that names it. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig, validateBundle } from "../../src/config/load.ts";
import { loadProcess } from "../../src/config/load-process.ts";
import { baseConfig, type TestSpec } from "../support/config.ts";
import { missing, shared } from "./support/shared.ts";

/** As root, whoever runs the test: what an ordinary user may not ask for is tested with the rules. */
const ROOT = { euid: 0 };

let bundle: string;
let path: string;

beforeEach(() => {
  bundle = mkdtempSync(join(tmpdir(), "tsrunc-config-"));
  path = join(bundle, "config.json");
});

afterEach(() => {
  rmSync(bundle, { recursive: true });
});

function write(content: unknown): void {
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
}

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

test("a good configuration is returned as it stands", () => {
  write(baseConfig(["true"]));
  expect(loadConfig(path, ROOT)).toEqual(baseConfig(["true"]));
});

/** An id of the configuration, and its JSON pointer. */
const IDS: [string, (spec: TestSpec, id: number) => unknown][] = [
  ["/process/user/uid", ({ process }, id) => Object.assign(process.user, { uid: id })],
  ["/process/user/gid", ({ process }, id) => Object.assign(process.user, { gid: id })],
  ["/process/user/additionalGids/1", ({ process }, id) => Object.assign(process.user, { additionalGids: [0, id] })],
  ["/linux/devices/0/uid", ({ linux }, id) => Object.assign(linux, { devices: [{ ...DEVICE, uid: id }] })],
  ["/linux/devices/0/gid", ({ linux }, id) => Object.assign(linux, { devices: [{ ...DEVICE, gid: id }] })],
  ["/linux/uidMappings/1/containerID", (spec, id) => addMapping(spec, { containerID: id, hostID: 1, size: 1 })],
  ["/linux/uidMappings/1/hostID", (spec, id) => addMapping(spec, { containerID: 1, hostID: id, size: 1 })],
];
const DEVICE = { path: "/dev/x", type: "c", major: 1, minor: 3 };

function addMapping(spec: TestSpec, mapping: object): void {
  const first = { containerID: 0, hostID: 0, size: 1 };
  spec.linux.namespaces.push({ type: "user" });
  Object.assign(spec.linux, { uidMappings: [first, mapping], gidMappings: [first] });
}

// To the kernel it means "no change": the process stayed root.
test.each(IDS)("the id 4294967295 is refused at %s, and the one before it is not", (pointer, edit) => {
  const load = (id: number) => {
    const spec = baseConfig(["true"]);
    edit(spec, id);
    write(spec);
    return loadConfig(path, ROOT);
  };
  expect(messageOf(() => load(4294967295))).toMatch(`${pointer}: 4294967295: must be an id, <= 4294967294`);
  load(4294967294);
});

test("the id 4294967295 is refused in a process by itself", () => {
  const process = { args: ["true"], cwd: "/", user: { uid: 4294967295, gid: 0 } };
  write(process);
  expect(messageOf(() => loadProcess(path))).toContain("/user/uid: 4294967295: must be an id, <= 4294967294");
});

describe("a file that is no configuration", () => {
  test("that is missing is said to be, in the words that callers of runc look for", () => {
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`JSON specification file config.json not found in ${bundle}`);
    expect(messageOf(() => loadConfig(join(bundle, "none/config.json")))).toContain("not found");
  });

  test("below a file is missing", () => {
    write("x");
    expect(messageOf(() => loadConfig(join(path, "config.json")))).toContain(
      "JSON specification file config.json not found",
    );
  });

  test("that is a directory", () => {
    mkdirSync(path);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: ${path} is a directory, not a file`);
  });

  test.skipIf(process.geteuid?.() === 0)("that may not be read (skipped as root, who may read all)", () => {
    write("{}");
    chmodSync(path, 0);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: ${path} cannot be read: permission denied`);
  });

  test.each(["", " \n"])("that is empty (%j)", (content) => {
    write(content);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: the file ${path} is empty`);
  });

  test("that is a fifo, which nobody writes to", () => {
    execFileSync("mkfifo", [path]);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: ${path} is a fifo, not a file`);
  });

  test("that is a device, which has no end", () => {
    symlinkSync("/dev/zero", path);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: ${path} is a device, not a file`);
  });

  test("that is larger than 64 MB", () => {
    write("");
    truncateSync(path, 64 * 2 ** 20 + 1);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(
      `config.json: ${path} has 67108865 bytes: the largest file that is read has 64 MB`,
    );
  });

  test("that is nested more deeply than anything sensible, with the place, and without reading on", () => {
    write(`{"x":\n${"[".repeat(2 ** 25)}`);
    const before = process.memoryUsage().rss;
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(
      "config.json: is not readable: line 2, column 1000: nested more than 1000 deep",
    );
    // 32 MB as text, and twice at most; as nested arrays they would take gigabytes.
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 29);
  });

  test("that is not JSON, with the place", () => {
    write('{\n  "ociVersion": "1.0.0",\n}');
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(
      'config.json: is not JSON: line 3, column 1: there is a comma before }, found "}"',
    );
  });

  test.each(["null", "[]", '"x"', "1"])("that is %s", (content) => {
    write(content);
    expect(messageOf(() => loadConfig(path, ROOT))).toMatch(/^config\.json: .*must be an object$/);
  });
});

describe("an error of the schema", () => {
  test.each<[string, unknown, string]>([
    ["a wrong type", { ociVersion: "1.0.0", hostname: 7 }, "/hostname: 7: must be a string"],
    ["a wrong type of a whole part", { ociVersion: "1.0.0", linux: [] }, "/linux: must be an object"],
    ["a missing member", { ociVersion: "1.0.0", process: {} }, '/process: "cwd" is missing'],
    ["a missing member of the whole", {}, '"ociVersion" is missing'],
    [
      "a name that is none of those allowed",
      { ociVersion: "1.0.0", linux: { namespaces: [{ type: "net" }] } },
      '/linux/namespaces/0/type: "net": must be one of mount, pid, network, uts, ipc, user, cgroup, time',
    ],
    [
      "a number out of range",
      { ociVersion: "1.0.0", process: { cwd: "/", user: { uid: -1 } } },
      "/process/user/uid: -1: must be >= 0",
    ],
    [
      "a number that is no integer",
      { ociVersion: "1.0.0", process: { cwd: "/", oomScoreAdj: 0.5 } },
      "/process/oomScoreAdj: 0.5: must be an integer",
    ],
    [
      "a name with a slash",
      { ociVersion: "1.0.0", annotations: { "a/b~c": 1 } },
      "/annotations/a~1b~0c: 1: must be a string",
    ],
    [
      "an empty list that must not be",
      {
        ociVersion: "1.0.0",
        linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: [], action: "SCMP_ACT_LOG" }] } },
      },
      "/linux/seccomp/syscalls/0/names: must have at least 1 item",
    ],
    [
      "a text that does not match",
      { ociVersion: "1.0.0", process: { cwd: "/", rlimits: [{ type: "nofile", soft: 1, hard: 1 }] } },
      '/process/rlimits/0/type: "nofile": must match ^RLIMIT_[A-Z]+$',
    ],
  ])("names the place, the value and the rule: %s", (_, document, message) => {
    write(document);
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: ${message}`);
  });

  test("shows the beginning and the end of a long value, and of a long pointer", () => {
    write({ ociVersion: "1.0.0", annotations: { [`a${"b".repeat(280_000)}c`]: 1 } });
    expect(messageOf(() => loadConfig(path, ROOT))).toMatch(
      /^config\.json: \/annotations\/ab{50,150}…b{50,150}c: 1: must be a string$/,
    );
    write({ ociVersion: `1${"2".repeat(280_000)}3` });
    expect(messageOf(() => loadConfig(path, ROOT))).toMatch(
      /^config\.json: \/ociVersion: "12{20,50}…2{20,50}3": must be a version/,
    );
  });

  test("carries its parts", () => {
    write({ ociVersion: "1.0.0", hostname: 7 });
    let error: unknown;
    try {
      loadConfig(path, ROOT);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ pointer: "/hostname", value: 7, rule: "must be a string", file: "config.json" });
  });

  test.each<[object, string]>([
    [{}, "invalid memory policy mode"],
    [{ nodes: "0-7" }, "invalid memory policy mode"],
    [{ mode: "INTERLEAVE", nodes: "0" }, "invalid memory policy mode"],
    [{ mode: "MPOL_PREFERRED", nodes: "0", flags: ["badflag"] }, "invalid memory policy flag"],
  ])("about memoryPolicy %j has runc's words", (memoryPolicy, words) => {
    const spec = baseConfig(["true"]);
    write({ ...spec, linux: { ...spec.linux, memoryPolicy } });
    expect(messageOf(() => loadConfig(path, ROOT))).toContain(words);
  });

  test("is one line, however long the value", () => {
    write({ ociVersion: "1.0.0", linux: { namespaces: [{ type: "a\nb".repeat(1000) }] } });
    const message = messageOf(() => loadConfig(path, ROOT));
    expect(message).not.toContain("\n");
    expect(message.length).toBeLessThan(300);
  });
});

describe("values that JSON and Go see otherwise", () => {
  test("null is the same as absent", () => {
    const spec = baseConfig(["true"]);
    write({ ...spec, hooks: null, linux: { ...spec.linux, timeOffsets: null, devices: null } });
    const loaded = loadConfig(path, ROOT);
    expect(loaded).not.toHaveProperty("hooks");
    expect(loaded.linux).not.toHaveProperty("timeOffsets");
  });

  test("a member that must be there may be written in other case", () => {
    const hugepageLimits = (name: string) => {
      const limits = [
        { [name]: "2MB", limit: 1 },
        { [name]: "1GB", LIMIT: 2 },
      ];
      const { linux, ...config } = baseConfig(["true"]);
      return { ...config, linux: { ...linux, resources: { hugepageLimits: limits } } };
    };
    write(hugepageLimits("pagesize"));
    expect(loadConfig(path, ROOT).linux?.resources?.hugepageLimits).toEqual([
      { pageSize: "2MB", limit: 1 },
      { pageSize: "1GB", limit: 2 },
    ]);
    write(hugepageLimits("pages"));
    expect(messageOf(() => loadConfig(path, ROOT))).toContain('"pageSize" is missing');
  });

  test("limits may be written in any case, and what is written in the spec's own comes first", () => {
    const { linux, ...config } = baseConfig(["true"]);
    const resources = { CPU: { Cpus: "0", cpus: "1", SHARES: 100 }, Memory: { Limit: 1 }, blockio: { Weight: 10 } };
    write({ ...config, linux: { ...linux, resources } });
    expect(loadConfig(path, ROOT).linux?.resources).toMatchObject({
      cpu: { cpus: "1", shares: 100 },
      memory: { limit: 1 },
      blockIO: { weight: 10 },
    });
    write({ ...config, linux: { ...linux, resources: { PIDS: { limit: "many" } } } });
    expect(messageOf(() => loadConfig(path, ROOT))).toContain("/linux/resources/pids/limit");
  });

  test("null in a list is an error", () => {
    const spec = baseConfig(["true"]);
    write({ ...spec, process: { ...spec.process, args: [null] } });
    expect(messageOf(() => loadConfig(path, ROOT))).toBe("config.json: /process/args/0: null: must be a string");
  });

  function withSeccompValue(value: string): string {
    const spec = baseConfig(["true"]);
    const seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["x"], action: "SCMP_ACT_LOG", args: [{ index: 0, value: 4242, op: "SCMP_CMP_EQ" }] }],
    };
    return JSON.stringify({ ...spec, linux: { ...spec.linux, seccomp } }).replace("4242", value);
  }

  test.each(["9007199254740993", "18446744073709551613", "18446744073709551615", "2114060288"])(
    "a seccomp value (%s) has all its bits",
    (value) => {
      write(withSeccompValue(value));
      const [call] = loadConfig(path, ROOT).linux?.seccomp?.syscalls ?? [];
      expect(String(call?.args?.[0]?.value)).toBe(value);
    },
  );
});

describe("integers of 64 bits", () => {
  /** Writes a configuration in which the places marked `42424242` have a value. */
  function withResources(resources: object, value: string): void {
    const spec = baseConfig(["true"]);
    write(JSON.stringify({ ...spec, linux: { ...spec.linux, resources } }).replaceAll("42424242", value));
  }
  const mark = 42424242;

  test.each(["9007199254740993", "9223372036854775807", "-9007199254740993", "-9223372036854775808"])(
    "%s is read as it stands",
    (value) => {
      withResources({ memory: { limit: mark }, cpu: { quota: mark } }, value);
      const { memory, cpu } = loadConfig(path, ROOT).linux?.resources ?? {};
      expect([memory?.limit, cpu?.quota]).toEqual([BigInt(value), BigInt(value)]);
    },
  );

  test("the largest of all is not taken for 0 or for one more", () => {
    withResources({ hugepageLimits: [{ pageSize: "2MB", limit: mark }] }, "18446744073709551615");
    expect(loadConfig(path, ROOT).linux?.resources?.hugepageLimits?.[0]?.limit).toBe(2n ** 64n - 1n);
  });

  test.each([
    [
      { memory: { limit: mark } },
      "9223372036854775808",
      "/memory/limit",
      "-9223372036854775808 to 9223372036854775807",
    ],
    [{ memory: { swap: mark } }, "-9223372036854775809", "/memory/swap", "-9223372036854775808 to 9223372036854775807"],
    [{ cpu: { period: mark } }, "18446744073709551616", "/cpu/period", "0 to 18446744073709551615"],
    [{ cpu: { period: mark } }, "-1", "/cpu/period", "0 to 18446744073709551615"],
  ])("%j of %s is out of range by one, and said with all its digits", (resources, value, pointer, range) => {
    withResources(resources, value);
    const rule = `must be from ${range}`;
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(`config.json: /linux/resources${pointer}: ${value}: ${rule}`);
  });

  test("a small field has its own range", () => {
    withResources({ blockIO: { weight: mark } }, "9007199254740993");
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(
      "config.json: /linux/resources/blockIO/weight: 9007199254740993: must be <= 65535",
    );
  });

  test("a text is a text, and says so with all digits of what is there", () => {
    withResources({ cpu: { cpus: mark } }, "9007199254740993");
    expect(messageOf(() => loadConfig(path, ROOT))).toBe(
      "config.json: /linux/resources/cpu/cpus: 9007199254740993: must be a string",
    );
  });

  test.each(["1e19", "9007199254740993.0"])("%s, which is not written as an integer, is refused", (value) => {
    withResources({ cpu: { shares: mark } }, value);
    expect(messageOf(() => loadConfig(path, ROOT))).toMatch(/\/cpu\/shares: \d+: must be written in digits alone/);
  });

  test.skipIf(missing !== null).each(["docker", "podman"])(
    "in one place leave the rest of the document as it is: %s",
    (engine) => {
      const text = readFileSync(shared(`bundles/${engine}/config.json`), "utf8");
      write(text);
      const plain = loadConfig(path, ROOT);
      const limited = JSON.parse(text);
      limited.linux.resources.memory = { limit: mark };
      write(JSON.stringify(limited).replace("42424242", "9007199254740993"));
      const exact = loadConfig(path, ROOT);
      expect(exact.linux?.resources?.memory).toEqual({ limit: 9007199254740993n });
      expect({ ...exact, linux: { ...exact.linux, resources: null } }).toEqual({
        ...plain,
        linux: { ...plain.linux, resources: null },
      });
    },
  );

  test("those of a process.json, too", () => {
    const { process } = baseConfig(["true"]);
    const rlimits = [{ type: "RLIMIT_FSIZE", soft: mark, hard: mark }];
    write(JSON.stringify({ ...process, rlimits }).replaceAll("42424242", "9007199254740993"));
    expect(loadProcess(path).rlimits?.[0]).toMatchObject({ soft: 9007199254740993n, hard: 9007199254740993n });
  });
});

test("warnings are told to whoever wants them", () => {
  const spec = baseConfig(["true"]);
  spec.mounts.push({ destination: "data", source: "/srv", options: ["bind"] });
  write(spec);
  const warnings: string[] = [];
  loadConfig(path, { ...ROOT, warn: (message) => warnings.push(message) });
  expect(warnings).toEqual([
    expect.stringMatching(/^config\.json: \/mounts\/\d+\/destination: "data": is not absolute/),
  ]);
});

describe("process.json", () => {
  beforeEach(() => {
    path = join(bundle, "process.json");
  });

  test("is a process", () => {
    write({ cwd: "/", args: ["true"] });
    expect(loadProcess(path)).toEqual({ cwd: "/", args: ["true"] });
  });

  test.each<[unknown, string]>([
    [{ args: ["true"] }, '"cwd" is missing'],
    [{ cwd: "tmp", args: ["true"] }, '/cwd: "tmp": must be an absolute path'],
    [{ cwd: "/", args: [] }, "/args: []: args must not be empty"],
    [{ cwd: "/", args: ["true"], user: { uid: "0" } }, '/user/uid: "0": must be an integer'],
  ])("%j is not valid", (document, message) => {
    write(document);
    expect(messageOf(() => loadProcess(path))).toBe(`process.json: ${message}`);
  });
});

describe("validating a bundle", () => {
  test("finds nothing wrong with a good one", () => {
    mkdirSync(join(bundle, "rootfs"));
    write(baseConfig(["true"]));
    expect(validateBundle(bundle, { euid: 0 })).toEqual({ warnings: [] });
  });

  test("warns of what is valid, but makes no container", () => {
    write({ ociVersion: "1.0.0", root: { path: "rootfs" } });
    const { warnings } = validateBundle(bundle, { euid: 0 });
    expect(warnings).toEqual([
      expect.stringContaining("/process: no container can be made of it"),
      expect.stringMatching(
        /^not on this machine: config\.json: \/root\/path: "rootfs": invalid rootfs: .*no such file or directory$/,
      ),
    ]);
  });

  test("refuses what is not valid", () => {
    write({ ociVersion: "1.0.0" });
    expect(messageOf(() => validateBundle(bundle))).toBe("config.json: /root: is missing: root must be specified");
  });
});
