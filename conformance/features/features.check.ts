/** features.md and features-linux.md. */
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import type { Subject } from "../harness/subject.ts";

interface Features {
  ociVersionMin: string;
  ociVersionMax: string;
  hooks?: string[];
  mountOptions?: string[];
  annotations?: Record<string, string>;
  potentiallyUnsafeConfigAnnotations?: string[];
  linux?: {
    namespaces?: string[];
    capabilities?: string[];
    cgroup?: Record<string, boolean>;
    seccomp?: {
      enabled?: boolean;
      actions?: string[];
      operators?: string[];
      archs?: string[];
      knownFlags?: string[];
      supportedFlags?: string[];
    };
    apparmor?: { enabled?: boolean };
    selinux?: { enabled?: boolean };
    intelRdt?: Record<string, boolean>;
    mountExtensions?: { idmap?: { enabled?: boolean } };
  };
}

async function features(subject: Subject): Promise<Features> {
  const { code, stdout } = await subject.command(["features"]);
  if (code !== 0) return subject.skip("the runtime has no command `features`, which is optional");
  return JSON.parse(stdout);
}

check(
  "features/specification-version-ociversionmin-minimum-recognized-version",
  "ociVersionMin is a version",
  async (subject) => {
    expect((await features(subject)).ociVersionMin).toMatch(/^\d+\.\d+\.\d+/);
  },
);

check(
  "features/specification-version-ociversionmax-maximum-recognized-version",
  "ociVersionMax is a version",
  async (subject) => {
    expect((await features(subject)).ociVersionMax).toMatch(/^\d+\.\d+\.\d+/);
  },
);

check(
  "features/specification-version-less-ociversionmin-property",
  "ociVersionMax is not less than ociVersionMin",
  async (subject) => {
    const { ociVersionMin, ociVersionMax } = await features(subject);
    expect(compare(ociVersionMax, ociVersionMin)).toBeGreaterThanOrEqual(0);
  },
);

for (const which of ["ociVersionMin", "ociVersionMax"] as const) {
  check(
    "features/specification-version-accept-ociversion-property-config",
    `a configuration of ${which} is accepted`,
    async (subject) => {
      const version = (await features(subject))[which];
      await subject.runs((spec) => {
        spec.ociVersion = version;
      });
    },
  );
}

const KNOWN = [
  "ociVersionMin",
  "ociVersionMax",
  "hooks",
  "mountOptions",
  "linux",
  "annotations",
  "potentiallyUnsafeConfigAnnotations",
];

check(
  "features/specification-version-features-structure-contain-properties",
  "there is no property that the spec does not define",
  async (subject) => {
    expect(Object.keys(await features(subject)).filter((name) => !KNOWN.includes(name))).toEqual([]);
  },
);

check(
  "features/hooks-support-elements-hooks-property",
  "each hook listed is one of the spec's, and is accepted",
  async (subject) => {
    const { hooks = [] } = await features(subject);
    expect(hooks.length).toBeGreaterThan(0);
    await subject.runs((spec) => {
      spec.hooks = Object.fromEntries(hooks.map((kind) => [kind, [{ path: "/bin/true" }]]));
    });
  },
);

check(
  "features/mount-options-recognize-elements-options-mounts",
  "the MUST options of the spec are listed",
  async (subject) => {
    const { mountOptions = [] } = await features(subject);
    const must =
      "async atime bind defaults dev diratime dirsync exec iversion loud noatime nodev nodiratime noexec noiversion norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid sync unbindable".split(
        " ",
      );
    expect(must.filter((option) => !mountOptions.includes(option))).toEqual([]);
  },
);

check(
  "features/mount-options-linux-contain-filesystem-specific",
  "options of filesystems are not listed",
  async (subject) => {
    const { mountOptions = [] } = await features(subject);
    expect(mountOptions.filter((option) => /^(size|mode|uid|gid|newinstance|ptmxmode)/.test(option))).toEqual([]);
  },
);

check(
  "features-linux/namespaces-recognize-elements-type-linux",
  "the namespaces listed are accepted",
  async (subject) => {
    const { linux } = await features(subject);
    expect(linux?.namespaces).toEqual(
      expect.arrayContaining(["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]),
    );
  },
);

check(
  "features-linux/capabilities-recognize-elements-process-capabilities",
  "the capabilities listed are accepted",
  async (subject) => {
    const { linux } = await features(subject);
    const names = linux?.capabilities ?? [];
    expect(names).toContain("CAP_SYS_ADMIN");
    const { stderr } = await subject.run("true", (spec) => {
      spec.process.capabilities = { bounding: names };
    });
    expect(stderr).not.toMatch(/unknown capabilit/i);
  },
);

const ACTIONS = "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG NOTIFY TRACE TRAP"
  .split(" ")
  .map((name) => `SCMP_ACT_${name}`);

check(
  "features-linux/seccomp-recognize-elements-syscalls-action",
  "the seccomp actions listed are the spec's",
  async (subject) => {
    const { seccomp } = (await features(subject)).linux ?? {};
    if (seccomp?.enabled !== true) return subject.skip("the runtime says that it has no seccomp");
    expect(seccomp.actions?.filter((action) => !ACTIONS.includes(action))).toEqual([]);
    expect(seccomp.actions).toEqual(expect.arrayContaining(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL"]));
  },
);

check(
  "features-linux/seccomp-recognize-elements-syscalls-args",
  "the seccomp operators listed are the spec's",
  async (subject) => {
    const { seccomp } = (await features(subject)).linux ?? {};
    if (seccomp?.enabled !== true) return subject.skip("the runtime says that it has no seccomp");
    expect([...(seccomp.operators ?? [])].sort()).toEqual(
      ["EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"].map((name) => `SCMP_CMP_${name}`),
    );
  },
);

check(
  "features-linux/seccomp-recognize-support-elements-flags",
  "the supported seccomp flags are among the known ones",
  async (subject) => {
    const { seccomp } = (await features(subject)).linux ?? {};
    if (seccomp?.enabled !== true) return subject.skip("the runtime says that it has no seccomp");
    expect(seccomp.supportedFlags?.filter((flag) => !seccomp.knownFlags?.includes(flag)) ?? []).toEqual([]);
  },
);

check("features/annotations-annotations-key-map-follows", "annotations are a map of strings", async (subject) => {
  const { annotations = {} } = await features(subject);
  for (const value of Object.values(annotations)) expect(value).toEqual(expect.any(String));
});

function compare(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split(/[.-]/).slice(0, 3).map(Number)) as [number[], number[]];
  return a.map((part, index) => part - (b[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

check("features/null-confused-empty-false", "what is listed is no null", async (subject) => {
  const { hooks, mountOptions, linux } = await features(subject);
  for (const value of [hooks, mountOptions, linux?.namespaces, linux?.capabilities]) expect(value).not.toBeNull();
});

check(
  "features-linux/mount-extensions-cases-still-true-indicate",
  "the idmap extension, where it is listed, says yes or no",
  async (subject) => {
    const { linux } = await features(subject);
    if (linux?.mountExtensions === undefined) return subject.skip("the runtime lists no mount extensions");
    expect(linux.mountExtensions.idmap?.enabled).toEqual(expect.any(Boolean));
  },
);
