/** config-linux.md, "Masked Paths", "Readonly Paths", "Sysctl", "Rootfs Mount Propagation", "Personality", "Mount Label". */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";

check("runtime/create-properties-configured-config-json", "a masked file reads as empty", async (subject) => {
  const output = await subject.output("cat /secret; cat /proc/version; echo end", ({ linux }, { rootfs }) => {
    writeFileSync(join(rootfs, "secret"), "secret");
    linux.maskedPaths = ["/secret", "/proc/version"];
  });
  expect(output).toBe("end");
});

check(
  "runtime/create-properties-configured-config-json",
  "a masked directory is empty, and cannot be written to",
  async (subject) => {
    const output = await subject.output("ls -A /sys/fs; touch /sys/fs/x 2>&1 || true", ({ linux }) => {
      linux.maskedPaths = ["/sys/fs"];
    });
    expect(output).toMatch(/^touch: .*Read-only/);
  },
);

check(
  "runtime/create-properties-configured-config-json",
  "a masked path that does not exist does no harm",
  async (subject) => {
    await subject.runs(({ linux }) => {
      linux.maskedPaths = ["/no/such/path"];
    });
  },
);

check(
  ["config-linux/masked-paths-absolute-paths-namespace", "config-linux/readonly-paths-absolute-paths-namespace"],
  "a relative masked path is refused, or masks nothing else",
  async (subject) => {
    await subject.runsOrRefuses(({ linux }) => {
      linux.maskedPaths = ["proc/version"];
    }, "cat /proc/version > /dev/null && echo ran");
  },
);

check("runtime/create-properties-configured-config-json", "a read-only path cannot be written to", async (subject) => {
  const output = await subject.output(
    "touch /tmp/x 2>&1 || true; echo 1 2>&1 > /proc/sys/kernel/shm_rmid_forced || true",
    ({ linux }) => {
      linux.readonlyPaths = ["/tmp", "/proc/sys"];
    },
  );
  expect(output).toMatch(/Read-only file system/);
});

check("runtime/create-properties-configured-config-json", "a read-only path keeps its content", async (subject) => {
  const output = await subject.output("cat /tmp/kept", ({ linux }, { rootfs }) => {
    writeFileSync(join(rootfs, "tmp/kept"), "kept");
    linux.readonlyPaths = ["/tmp"];
  });
  expect(output).toBe("kept");
});

check(
  "runtime/create-properties-configured-config-json",
  "a read-only path that does not exist does no harm",
  async (subject) => {
    await subject.runs(({ linux }) => {
      linux.readonlyPaths = ["/no/such/path"];
    });
  },
);

for (const [name, value] of [
  ["kernel.shm_rmid_forced", "1"],
  ["net.ipv4.ip_forward", "1"],
  ["fs.mqueue.queues_max", "111"],
  ["kernel.msgmax", "4096"],
] as const) {
  check("runtime/create-properties-configured-config-json", `the sysctl ${name} is set`, async (subject) => {
    const output = await subject.output(`cat /proc/sys/${name.replaceAll(".", "/")}`, ({ linux }) => {
      linux.sysctl = { [name]: value };
    });
    expect(output).toBe(value);
  });
}

check(
  "runtime/create-cannot-apply-property-specified",
  "a sysctl that no namespace holds is refused",
  async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux.sysctl = { "kernel.panic": "10" };
    });
  },
);

check(
  "runtime/create-cannot-apply-property-specified",
  "a sysctl of a namespace that is shared is refused",
  async (subject) => {
    await subject.refusesConfig(({ linux, mounts }) => {
      linux.namespaces = linux.namespaces?.filter(({ type }) => type !== "network") ?? [];
      mounts.splice(0, mounts.length, ...mounts.filter(({ type }) => type !== "sysfs"));
      linux.sysctl = { "net.ipv4.ip_forward": "1" };
    });
  },
);

for (const [propagation, shown] of [
  ["private", []],
  ["rprivate", []],
  ["shared", [expect.stringMatching(/^shared:/)]],
  ["unbindable", ["unbindable"]],
] as const) {
  check(
    "runtime/create-properties-configured-config-json",
    `rootfsPropagation ${propagation} is the root's`,
    async (subject) => {
      const { mounts } = await subject.sight(({ linux }) => {
        linux.rootfsPropagation = propagation;
      });
      expect(mounts.find(({ destination }) => destination === "/")?.propagation).toEqual(shown);
    },
  );
}

check(
  "config/valid-values-generate-error-invalid-unsupported",
  "an unknown rootfsPropagation is refused",
  async (subject) => {
    await subject.refusesConfig(({ linux }) => {
      linux.rootfsPropagation = "no-such";
    });
  },
);

check(
  "config-linux/personality-domain-execution-domain",
  "personality LINUX32 shows another machine",
  async (subject) => {
    const { arch } = await import("node:os");
    if (arch() !== "x64") subject.skip("needs x86_64");
    const output = await subject.output("uname -m", ({ linux }) => {
      linux["personality"] = { domain: "LINUX32" };
    });
    expect(output).toBe("i686");
  },
);

check("config-linux/personality-domain-execution-domain", "personality LINUX shows the machine", async (subject) => {
  const { machine } = await import("node:os");
  const output = await subject.output("uname -m", ({ linux }) => {
    linux["personality"] = { domain: "LINUX" };
  });
  expect(output).toBe(machine());
});

check("config-linux/personality-domain-execution-domain", "an unknown personality is refused", async (subject) => {
  await subject.refusesConfig(({ linux }) => {
    linux["personality"] = { domain: "LINUX128" };
  });
});

check(
  "config-linux/intel-rdt-no-mounted-resctrl-pseudo",
  "intelRdt without a resctrl filesystem is refused",
  async (subject) => {
    const { readFileSync } = await import("node:fs");
    if (/ resctrl /.test(readFileSync("/proc/self/mountinfo", "utf8"))) subject.skip("resctrl is mounted here");
    await subject.refusesConfig(({ linux }) => {
      linux["intelRdt"] = { closID: "conformance", l3CacheSchema: "L3:0=f" };
    });
  },
);
