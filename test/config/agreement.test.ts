/** Our schema and the official one agree on real configurations, and on what becomes of them by thousands of small changes. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isSpec } from "../../src/config/generated/config.js";
import { missing, officialSchema, shared } from "./support/shared.ts";

/** Where ours differs on purpose: by pointer, and what it does there. */
const deliberate: [pointer: RegExp, why: string][] = [
  [/^\/linux\/rootfsPropagation$/, "the forms with r, which engines write, pass"],
  [/^\/linux\/devices\/\d+\/fileMode$/, "the bits of the file type, which engines write, pass"],
  [/^\/linux\/resources\/pids(\/limit)?$/, "the limit is optional, as the spec's text says since 1.3"],
  [/^\/process\/oomScoreAdj$/, "it has the bounds of an int32, and narrower ones later"],
  [/^\/hooks\/\w+\/\d+\/timeout$/, "it is at most 68 years"],
  [/^\/linux\/personality(\/domain)?$/, "the domain is required, as the spec's text says"],
  [/^\/linux\/memoryPolicy(\/mode)?$/, "the mode is required, as the spec's text says"],
];

/** What the bundles do not use. */
const rest = {
  ociVersion: "1.3.0",
  root: { path: "r" },
  process: {
    cwd: "/",
    consoleSize: { height: 1, width: 1 },
    commandLine: "x",
    user: { uid: 1, gid: 1, umask: 18, additionalGids: [1], username: "x" },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 1 },
    scheduler: {
      policy: "SCHED_OTHER",
      nice: 1,
      priority: 1,
      flags: ["SCHED_FLAG_RECLAIM"],
      runtime: 1,
      deadline: 1,
      period: 1,
    },
    execCPUAffinity: { initial: "0", final: "0-1" },
    apparmorProfile: "x",
    selinuxLabel: "x",
  },
  domainname: "x",
  mounts: [{ destination: "/x", uidMappings: [{ containerID: 0, hostID: 0, size: 1 }], gidMappings: [] }],
  hooks: { prestart: [{ path: "/x", args: ["x"], env: ["x"], timeout: 1 }], poststop: [{ path: "/x" }] },
  annotations: { x: "x" },
  linux: {
    uidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: 0, size: 1 }],
    cgroupsPath: "x",
    devices: [{ type: "c", path: "/x", major: 1, minor: 1, fileMode: 1, uid: 1, gid: 1 }],
    netDevices: { x: { name: "x" } },
    rootfsPropagation: "private",
    mountLabel: "x",
    intelRdt: { closID: "x", schemata: ["x"], l3CacheSchema: "x", memBwSchema: "MB:x", enableMonitoring: true },
    memoryPolicy: { mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"] },
    personality: { domain: "LINUX", flags: [] },
    timeOffsets: { boottime: { secs: 1, nanosecs: 1 }, monotonic: { secs: 1 } },
    resources: {
      memory: { reservation: 1, kernel: 1, kernelTCP: 1, swappiness: 1, useHierarchy: true, checkBeforeUpdate: true },
      cpu: { burst: 1, realtimeRuntime: 1, realtimePeriod: 1, cpus: "0", mems: "0", idle: 0 },
      blockIO: {
        leafWeight: 1,
        weightDevice: [{ major: 1, minor: 1, weight: 1, leafWeight: 1 }],
        throttleReadBpsDevice: [{ major: 1, minor: 1, rate: 1 }],
        throttleWriteIOPSDevice: [{ major: 1, minor: 1, rate: 1 }],
      },
      hugepageLimits: [{ pageSize: "2MB", limit: 1 }],
      network: { classID: 1, priorities: [{ name: "x", priority: 1 }] },
      rdma: { x: { hcaHandles: 1, hcaObjects: 1 } },
      unified: { x: "x" },
    },
    seccomp: {
      defaultAction: "SCMP_ACT_ALLOW",
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "x",
      listenerMetadata: "x",
      syscalls: [
        {
          names: ["x"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 1,
          args: [{ index: 0, value: 1, valueTwo: 1, op: "SCMP_CMP_EQ" }],
        },
      ],
    },
  },
};

/** Places of ids: -1 is none to the kernel, which the official schema lets pass. */
const IDS = /\/(uid|gid|containerID|hostID|additionalGids\/\d+)$/;

/** Put in the place of each value in turn. */
const replacements: unknown[] = [
  null,
  true,
  "",
  "x",
  0,
  -1,
  0.5,
  7,
  65535,
  65536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  -(2 ** 31) - 1,
  2 ** 53,
  2 ** 63 - 1024,
  2 ** 64 - 2048,
  2 ** 65,
  -(2 ** 64),
  [],
  [1],
  ["x"],
  [null],
  {},
  { x: 1 },
];

/** Every document that differs from `document` in one place: a value replaced, or a member gone. */
function* variants(document: unknown): Generator<{ pointer: string; change: string; variant: unknown }> {
  for (const { pointer, path } of places(document)) {
    for (const replacement of replacements) {
      yield {
        pointer,
        change: JSON.stringify(replacement),
        variant: changed(document, path, () => structuredClone(replacement)),
      };
    }
    yield { pointer, change: "gone", variant: changed(document, path, null) };
  }
}

function* places(
  value: unknown,
  path: (string | number)[] = [],
): Generator<{ pointer: string; path: (string | number)[] }> {
  yield { pointer: path.map((part) => `/${part}`).join(""), path };
  if (typeof value !== "object" || value === null) return;
  // Three items of an array stand for all.
  const names = Array.isArray(value) ? [...value.keys()].slice(0, 3) : Object.keys(value);
  for (const name of names) yield* places((value as Record<string | number, unknown>)[name], [...path, name]);
}

/** A document as our reader gives it to our schema: the official one has no bigints. */
function asRead(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asRead);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asRead(member)]));
  }
  const large = Number.isInteger(value) && !Number.isSafeInteger(value);
  return large ? BigInt(value as number) : value;
}

function changed(document: unknown, path: (string | number)[], replace: (() => unknown) | null): unknown {
  if (path.length === 0) return replace?.();
  const copy = structuredClone(document);
  // biome-ignore lint/suspicious/noExplicitAny: any part of any document.
  let at: any = copy;
  for (const part of path.slice(0, -1)) at = at[part];
  const last = path.at(-1) as string;
  if (replace !== null) at[last] = replace();
  else if (Array.isArray(at)) at.splice(Number(last), 1);
  else delete at[last];
  return copy;
}

describe.skipIf(missing !== null)(`the official schema${missing === null ? "" : ` (${missing})`}`, () => {
  test.each(["docker", "podman", "containerd", "rest"])(
    "agrees on every variant of %s",
    (name) => {
      const official = officialSchema("config-schema.json");
      const document = name === "rest" ? rest : JSON.parse(readFileSync(shared(`bundles/${name}/config.json`), "utf8"));
      expect(official(structuredClone(document))).toBe(true);
      expect(isSpec(structuredClone(document))).toBe(true);
      const disagreements: string[] = [];
      let count = 0;
      for (const { pointer, change, variant } of variants(document)) {
        if (deliberate.some(([place]) => place.test(pointer))) continue;
        if (IDS.test(pointer) && change === String(2 ** 32 - 1)) continue;
        count++;
        const theirs = official(structuredClone(variant));
        const ours = isSpec(asRead(variant));
        if (ours !== theirs)
          disagreements.push(`${pointer} ${change}: ${ours ? "passes ours only" : "passes the official only"}`);
      }
      expect(disagreements).toEqual([]);
      expect(count).toBeGreaterThan(1000);
    },
    120_000,
  );
});

describe("where the schema differs from the official one on purpose", () => {
  const spec = (linux: object) => ({ ociVersion: "1.3.0", linux });

  test.each(["rprivate", "rshared", "rslave", "runbindable", ""])(
    "rootfsPropagation may be %j",
    (rootfsPropagation) => {
      expect(isSpec(spec({ rootfsPropagation }))).toBe(true);
    },
  );

  test("a device's mode may hold the type of its file", () => {
    expect(isSpec(spec({ devices: [{ path: "/dev/x", type: "c", fileMode: 0o20666 }] }))).toBe(true);
  });

  test("personality and memoryPolicy need what the spec's text requires", () => {
    expect(isSpec(spec({ personality: {} }))).toBe(false);
    expect(isSpec(spec({ memoryPolicy: {} }))).toBe(false);
  });

  test('the id that means "no change" to the kernel is none', () => {
    const spec = (uid: number) => ({ ociVersion: "1.3.0", process: { cwd: "/", user: { uid, gid: 0 } } });
    expect([isSpec(spec(4294967294)), isSpec(spec(4294967295))]).toEqual([true, false]);
  });

  test("ids and rates that are left out become 0", () => {
    const document = { ociVersion: "1.3.0", process: { cwd: "/", user: {} } };
    expect(isSpec(document)).toBe(true);
    expect(document.process.user).toEqual({ uid: 0, gid: 0 });
  });
});
