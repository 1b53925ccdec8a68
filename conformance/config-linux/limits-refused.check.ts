/** config-linux.md: entries of limits that lack what the spec requires, or contradict themselves. */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { RequirementId } from "../spec/requirements.ts";

/** What a value that no field takes goes against. */
const VALID = "config/valid-values-generate-error-invalid-unsupported";

/** A requirement, what is wrong, and the resources that are. */
const WRONG: readonly [id: RequirementId, what: string, resources: Record<string, unknown>][] = [
  [
    "config-linux/block-io-major-minor-major-minor",
    "a weight of a device without numbers",
    { blockIO: { weightDevice: [{ weight: 100 }] } },
  ],
  [
    "config-linux/block-io-you-specify-at-least",
    "a weight of a device without weight and leafWeight",
    { blockIO: { weightDevice: [{ major: 8, minor: 0 }] } },
  ],
  [
    "config-linux/block-io-rate-bandwidth-rate-limit",
    "a throttled device without rate",
    { blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0 }] } },
  ],
  [
    "config-linux/block-io-rate-bandwidth-rate-limit",
    "a throttled device without numbers",
    { blockIO: { throttleWriteBpsDevice: [{ rate: 1 }] } },
  ],
  [
    "config-linux/block-io-rate-io-rate-limit",
    "a throttled device without I/O rate",
    { blockIO: { throttleReadIOPSDevice: [{ major: 8, minor: 0 }] } },
  ],
  [
    "config-linux/huge-page-limits-pagesize-hugepage-size",
    "a huge page limit without size",
    { hugepageLimits: [{ limit: 1 }] },
  ],
  [
    "config-linux/huge-page-limits-limit-limit-bytes-hugepagesize",
    "a huge page limit without limit",
    { hugepageLimits: [{ pageSize: "2MB" }] },
  ],
  [
    "config-linux/huge-page-limits-pagesize-hugepage-size",
    "a huge page limit of a size that is no size",
    { hugepageLimits: [{ pageSize: "big", limit: 1 }] },
  ],
  [
    "config-linux/network-name-interface-name-network",
    "a network priority without name",
    { network: { priorities: [{ priority: 1 }] } },
  ],
  [
    "config-linux/network-priority-priority-applied-interface",
    "a network priority without priority",
    { network: { priorities: [{ name: "lo" }] } },
  ],
  [
    "config-linux/device-allowedlist-allow-boolean-whether-entry",
    "a device rule without allow",
    { devices: [{ access: "rwm" }] },
  ],
  [VALID, "a device rule of an unknown access", { devices: [{ allow: true, access: "xyz" }] }],
  [VALID, "a memory limit that is a text", { memory: { limit: "64M" } }],
  [VALID, "a CPU quota that is a text", { cpu: { quota: "50%" } }],
];

for (const [id, what, resources] of WRONG) {
  check(id, `${what} is refused`, async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux.resources = { ...linux.resources, ...resources };
    });
  });
}

check(
  "config-linux/pids-even-though-superficially-seem",
  "a pids limit of 0 is carried out or refused",
  async (subject) => {
    await subject.runsOrRefuses(({ linux }) => {
      linux.resources = { ...linux.resources, pids: { limit: 0 } };
    });
  },
);

check("config-linux/memory-policy-mode", "a memory policy without mode is refused", async (subject) => {
  const { code, stdout } = await subject.command(["features"]);
  if (code !== 0 || JSON.parse(stdout).linux?.memoryPolicy === undefined)
    return subject.skip("the runtime does not list memoryPolicy in its features");
  await subject.refusesConfig(({ linux }) => {
    linux["memoryPolicy"] = { nodes: "0" };
  });
});

check("config-linux/memory-policy-mode", "an unknown mode of a memory policy is refused", async (subject) => {
  const { code, stdout } = await subject.command(["features"]);
  if (code !== 0 || JSON.parse(stdout).linux?.memoryPolicy === undefined)
    return subject.skip("the runtime does not list memoryPolicy in its features");
  await subject.refusesConfig(({ linux }) => {
    linux["memoryPolicy"] = { mode: "MPOL_NO_SUCH", nodes: "0" };
  });
});

check(
  [
    "features-linux/memory-policy-recognize-elements-mode-linux",
    "features-linux/memory-policy-recognize-elements-flags-property",
  ],
  "the modes of memory policies listed are the spec's",
  async (subject) => {
    const { code, stdout } = await subject.command(["features"]);
    const { memoryPolicy } = code === 0 ? JSON.parse(stdout).linux : {};
    if (memoryPolicy === undefined) return subject.skip("the runtime does not list memoryPolicy in its features");
    expect(memoryPolicy.modes).toEqual(expect.arrayContaining(["MPOL_DEFAULT", "MPOL_BIND", "MPOL_INTERLEAVE"]));
    for (const flag of memoryPolicy.flags ?? []) expect(flag).toMatch(/^MPOL_F_/);
  },
);

check("config-linux/memory-policy-mode", "MPOL_BIND is the program's policy", async (subject) => {
  const { code, stdout } = await subject.command(["features"]);
  if (code !== 0 || JSON.parse(stdout).linux?.memoryPolicy === undefined)
    return subject.skip("the runtime does not list memoryPolicy in its features");
  const output = await subject.output("cat /proc/self/numa_maps", ({ linux }) => {
    linux["memoryPolicy"] = { mode: "MPOL_BIND", nodes: "0" };
  });
  expect(output).toMatch(/bind:0/);
});
