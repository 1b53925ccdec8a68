/** The rules that look at the machine. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { IdMapping, Namespace, NamespaceType } from "../../../src/config/types.ts";
import { findOnHost, validateOnHost } from "../../../src/config/validate/host.ts";
import { baseConfig, type TestSpec } from "../../support/config.ts";

let bundle: string;

beforeEach(() => {
  bundle = mkdtempSync(join(tmpdir(), "tsrunc-host-"));
});

afterEach(() => {
  rmSync(bundle, { recursive: true });
});

/** What is found, without the rootfs, which this bundle has not. */
function found(edit: (spec: TestSpec) => void): [pointer: string, rule: string][] {
  const spec = baseConfig(["true"]);
  spec.root.path = bundle;
  edit(spec);
  return findOnHost(spec, bundle).map(({ pointer, rule }) => [pointer, rule]);
}

function join_(spec: TestSpec, type: NamespaceType, path: string): void {
  const namespace: Namespace = { type, path };
  spec.linux.namespaces = [...spec.linux.namespaces.filter((other) => other.type !== type), namespace];
}

test("an ordinary configuration asks nothing in vain", () => {
  expect(found(() => {})).toEqual([]);
});

describe("the rootfs", () => {
  test("must exist; a relative path is the bundle's", () => {
    const [error] = findOnHost(baseConfig(["true"]), bundle);
    expect(error?.pointer).toBe("/root/path");
    expect(error?.rule).toBe(`invalid rootfs: ${join(bundle, "rootfs")}: no such file or directory`);
  });

  test("must be a directory", () => {
    writeFileSync(join(bundle, "rootfs"), "");
    expect(() => validateOnHost(baseConfig(["true"]), bundle)).toThrow(/invalid rootfs: .*not a directory/);
  });
});

describe("namespaces to join", () => {
  test("must exist", () => {
    const index = baseConfig([]).linux.namespaces.length - 1;
    expect(found((spec) => join_(spec, "ipc", "/nowhere"))).toEqual([
      [`/linux/namespaces/${index}/path`, "no such file or directory"],
    ]);
  });

  test("a sysctl of the network must not be that of the runtime's own namespace", () => {
    const edit = (path: string) => (spec: TestSpec) => {
      join_(spec, "network", path);
      spec.linux.sysctl = { "net.ipv4.ip_forward": "1" };
    };
    expect(found(edit("/proc/self/ns/net"))).toEqual([
      ["/linux/sysctl/net.ipv4.ip_forward", expect.stringContaining("not allowed in host network namespace")],
    ]);
    expect(found(edit("/proc/self/ns/uts"))).toEqual([]);
  });

  describe("mappings beside a user namespace", () => {
    const own = readFileSync("/proc/self/uid_map", "utf8").trim().split("\n");
    const ownMappings: IdMapping[] = own.map((line) => {
      const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number);
      return { containerID, hostID, size };
    });
    const edit = (uidMappings: IdMapping[]) => (spec: TestSpec) => {
      join_(spec, "user", "/proc/self/ns/user");
      spec.linux.uidMappings = uidMappings;
    };

    test("may be those that it has", () => expect(found(edit(ownMappings))).toEqual([]));

    test("must not be others", () => {
      expect(found(edit([{ containerID: 0, hostID: 12345, size: 1 }]))).toEqual([
        ["/linux/uidMappings", expect.stringContaining("non-matching mapping specified")],
      ]);
    });
  });
});

const CGROUP2 = 0x63677270;
const unified = statfsSync("/sys/fs/cgroup").type === CGROUP2;

test("unified resources need cgroup v2", () => {
  const findings = found((spec) => {
    spec.linux.resources.unified = { "memory.min": "131072" };
  });
  expect(findings).toEqual(
    unified ? [] : [["/linux/resources/unified", "invalid configuration: cannot use unified on cgroup v1"]],
  );
});

test("no unified resources need nothing", () => {
  const findings = found((spec) => {
    spec.linux.resources.unified = {};
  });
  expect(findings).toEqual([]);
});

test.skipIf(existsSync("/sys/fs/selinux/enforce"))(
  "a SELinux label needs SELinux (skipped where there is SELinux)",
  () => {
    expect(
      found((spec) => {
        spec.process.selinuxLabel = "a:b:c";
      }),
    ).toEqual([["/process/selinuxLabel", expect.stringContaining("selinux is disabled or not supported")]]);
  },
);

test.skipIf(existsSync("/sys/fs/resctrl/schemata"))("intelRdt needs resctrl (skipped where it is mounted)", () => {
  expect(
    found((spec) => {
      spec.linux.intelRdt = {};
    }),
  ).toEqual([["/linux/intelRdt", expect.stringContaining("Intel RDT is not enabled")]]);
});
