/** Who owns a container's cgroup: config-linux.md, "Cgroup ownership". */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { cgroupsOf, hierarchies } from "../harness/cgroups.ts";
import { check } from "../harness/check.ts";
import type { Edit, Subject } from "../harness/subject.ts";

/** The host's id of the container's root. */
const OWNER = 100000;
const DELEGATE = "/sys/kernel/cgroup/delegate";

/** What a container needs to own its cgroup; each check leaves out one. */
interface Delegation {
  cgroupNamespace: boolean;
  /** Options of the mount of the cgroup filesystem; `null` for none. */
  mount: readonly string[] | null;
}

const WHOLE: Delegation = { cgroupNamespace: true, mount: ["rw"] };

function delegation({ cgroupNamespace, mount }: Delegation): Edit {
  return ({ linux, mounts }) => {
    linux.resources = {}; // On cgroup v2 rules for devices need privileges that have nothing to do with this.
    linux.namespaces?.push({ type: "user" }, ...(cgroupNamespace ? [{ type: "cgroup" }] : []));
    linux["uidMappings"] = [{ containerID: 0, hostID: OWNER, size: 65536 }];
    linux["gidMappings"] = [{ containerID: 0, hostID: OWNER, size: 65536 }];
    if (mount !== null) {
      mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...mount] });
    }
  };
}

/**
 * Creates a container where `/sys/fs/cgroup` is cgroup v2: as the machine has it, or in a mount namespace of each command's own.
 * @returns the directory of its cgroup, as this process sees it
 */
async function createUnified(subject: Subject, edit: Edit): Promise<string> {
  if (!hierarchies().some(({ version }) => version === 2)) return subject.skip("needs a mounted cgroup v2");
  if (!existsSync("/sys/fs/cgroup/cgroup.controllers")) {
    const mount = 'mount -t cgroup2 cgroup /sys/fs/cgroup && exec "$0" "$@"';
    subject.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount];
  }
  const id = await subject.create("true", edit);
  const own = cgroupsOf((await subject.state(id)).pid ?? 0).find(({ version }) => version === 2);
  if (own === undefined) throw new Error("the container must be in a cgroup of v2");
  return own.directory;
}

/** Owners of what is in a directory. */
function owners(directory: string): Map<string, number> {
  return new Map(readdirSync(directory).map((name) => [name, statSync(join(directory, name)).uid]));
}

check(
  "config-linux/cgroup-ownership-change-cgroup-ownership-only",
  "a cgroup that the container may write belongs to its user",
  async (subject) => {
    const directory = await createUnified(subject, delegation(WHOLE));
    expect(statSync(directory).uid, `owner of ${directory}`).toBe(OWNER);
  },
);

check(
  [
    "config-linux/cgroup-ownership-changes-cgroup-ownership-only",
    "config-linux/cgroup-ownership-change-ownership-files",
    "config-linux/cgroup-ownership-fail-scenario-change-ownership",
  ],
  "of a cgroup's files those that may be delegated belong to the container's user, and no others",
  async (subject) => {
    if (!existsSync(DELEGATE)) return subject.skip(`this kernel has no ${DELEGATE}`);
    const delegated = readFileSync(DELEGATE, "utf8").trim().split("\n");
    const found = owners(await createUnified(subject, delegation(WHOLE)));
    const expected = [...found.keys()].filter((name) => delegated.includes(name));
    expect([...found].filter(([, uid]) => uid === OWNER).map(([name]) => name)).toEqual(expected);
    expect(expected).toContain("cgroup.procs");
  },
);

const NOT_DELEGATED = [
  [
    "config-linux/cgroup-ownership-change-cgroup-ownership-only",
    "a cgroup that is mounted read-only does not change its owner",
    { ...WHOLE, mount: ["ro"] },
  ],
  [
    "config-linux/cgroup-ownership-configuration-does-specify-mount",
    "a cgroup that is not mounted does not change its owner",
    { ...WHOLE, mount: null },
  ],
  [
    "config-linux/cgroup-ownership-change-ownership-cgroup-unless",
    "without a cgroup namespace the cgroup does not change its owner",
    { ...WHOLE, cgroupNamespace: false },
  ],
] as const;

for (const [requirement, title, parts] of NOT_DELEGATED) {
  check(requirement, title, async (subject) => {
    const directory = await createUnified(subject, delegation(parts));
    expect(statSync(directory).uid, `owner of ${directory}`).toBe(0);
    expect(new Set(owners(directory).values())).toEqual(new Set([0]));
  });
}

check(
  "config-linux/cgroup-ownership-change-ownership-cgroups-cgroups",
  "cgroups of v1 do not change their owner",
  async (subject) => {
    if (!hierarchies().some(({ version }) => version === 1)) return subject.skip("needs cgroup v1");
    const id = await subject.create("true", delegation(WHOLE));
    for (const { version, path, directory } of cgroupsOf((await subject.state(id)).pid ?? 0)) {
      if (version === 1 && path !== "/") expect(statSync(directory).uid, `owner of ${directory}`).toBe(0);
    }
  },
);
