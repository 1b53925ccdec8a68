/** The owner of a cgroup, on the machine's own v2 hierarchy. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { delegateCgroup } from "../../src/cgroup/delegate.ts";
import { detectCgroupMounts } from "../../src/cgroup/layout.ts";
import { reasonToSkip } from "./live.ts";

const reason = reasonToSkip(2);
const root = detectCgroupMounts().find(({ version }) => version === 2)?.mountPoint;

test.skipIf(reason !== null)(
  `a cgroup and what the kernel lists are a user's, and nothing else is (${reason ?? "v2"})`,
  () => {
    const directory = `${root}/tsrunc-test-${process.pid}-delegate`;
    mkdirSync(directory);
    try {
      delegateCgroup(directory, 4242);
      const listed = readFileSync("/sys/kernel/cgroup/delegate", "utf8").split("\n");
      const files = readdirSync(directory, { withFileTypes: true }).map(({ name }) => name);
      // Of those listed, memory.oom.group is not there without the memory controller: that is no error.
      expect(files.filter((name) => listed.includes(name)).length).toBeGreaterThan(2);
      for (const name of files) {
        expect([name, statSync(`${directory}/${name}`).uid]).toEqual([name, listed.includes(name) ? 4242 : 0]);
      }
      expect(statSync(directory)).toMatchObject({ uid: 4242, gid: 0 });
    } finally {
      rmdirSync(directory);
    }
  },
);
