/** config.md, "Root" and "Mounts". */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { check } from "../harness/check.ts";

check(
  "config/root-path-path-root-filesystem",
  "root.path relative to the bundle is the container's root",
  async (subject) => {
    const output = await subject.output("cat /marker", (_, { rootfs }) =>
      writeFileSync(join(rootfs, "marker"), "here"),
    );
    expect(output).toBe("here");
  },
);

check("config/root-path-path-root-filesystem", "an absolute root.path is the container's root", async (subject) => {
  const output = await subject.output("cat /marker", (spec, { rootfs }) => {
    writeFileSync(join(rootfs, "marker"), "here");
    spec.root.path = rootfs;
  });
  expect(output).toBe("here");
});

check(
  "config/root-path-path-root-filesystem",
  "nothing of the host's root is left in the container's",
  async (subject) => {
    const outside = subject.directory;
    const output = await subject.output(`ls -d ${outside} 2>&1; cat /proc/self/mountinfo | wc -l`);
    expect(output).toMatch(/No such file/);
  },
);

check("config/root-platforms-field", "a configuration without root is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    delete (spec as { root?: unknown }).root;
  });
});

check("config/root-directory-exist-at-path", "a root.path at which nothing is, is refused", async (subject) => {
  await subject.refusesConfig((spec) => {
    spec.root.path = "none";
  });
});

check("config/root-directory-exist-at-path", "a root.path at which a file is, is refused", async (subject) => {
  await subject.refusesConfig((spec, { path }) => {
    writeFileSync(join(path, "file"), "");
    spec.root.path = "file";
  });
});

check("config/root-readonly-true-then-root", "root.readonly true: the root cannot be written to", async (subject) => {
  const output = await subject.output("touch /file 2>&1 || true; touch /tmp/file 2>&1 || true", (spec) => {
    spec.root.readonly = true;
  });
  expect(output.match(/Read-only file system/g)).toHaveLength(2);
});

check("config/root-readonly-true-then-root", "root.readonly false: the root can be written to", async (subject) => {
  const output = await subject.output("touch /file && echo ran", (spec) => {
    spec.root.readonly = false;
  });
  expect(output).toBe("ran");
});

check(
  "config/root-readonly-true-then-root",
  "a root that is not said to be read-only can be written to",
  async (subject) => {
    expect(await subject.output("touch /file && echo ran")).toBe("ran");
  },
);

check("config/root-readonly-true-then-root", "mounts in a read-only root stay writable", async (subject) => {
  const output = await subject.output("touch /tmp/file && echo ran", (spec) => {
    spec.root.readonly = true;
    spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
  });
  expect(output).toBe("ran");
});

check(
  "config/mounts-mount-entries-listed-order",
  "a mount below another one comes after it in the list",
  async (subject) => {
    const output = await subject.output("ls /tmp/inner; mount | grep -c ' /tmp'", (spec, { path }) => {
      mkdirSync(join(path, "inner"));
      writeFileSync(join(path, "inner/file"), "");
      spec.mounts.push(
        { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
        { destination: "/tmp/inner", type: "bind", source: join(path, "inner"), options: ["bind"] },
      );
    });
    expect(output).toBe("file\n2");
  },
);

check(
  "config/mounts-mount-entries-listed-order",
  "of two mounts on one destination the later is seen",
  async (subject) => {
    const output = await subject.output("cat /tmp/name", (spec, { path }) => {
      for (const name of ["first", "second"]) {
        mkdirSync(join(path, name));
        writeFileSync(join(path, name, "name"), name);
        spec.mounts.push({ destination: "/tmp", type: "bind", source: join(path, name), options: ["bind"] });
      }
    });
    expect(output).toBe("second");
  },
);

check("config/mounts-mount-entries-listed-order", "a mount above an earlier one hides it", async (subject) => {
  const output = await subject.output("ls -A /tmp; echo end", (spec, { path }) => {
    mkdirSync(join(path, "inner"));
    spec.mounts.push(
      { destination: "/tmp/inner", type: "bind", source: join(path, "inner"), options: ["bind"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
    );
  });
  expect(output).toBe("end");
});

check(
  "config/mounts-destination-destination-mount-point",
  "a destination that does not exist is made",
  async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      spec.mounts.push({ destination: "/new/deep/place", type: "tmpfs", source: "tmpfs" });
    });
    expect(mounts.find(({ destination }) => destination === "/new/deep/place")?.type).toBe("tmpfs");
  },
);

check(
  "config/mounts-destination-destination-mount-point",
  "a mount without destination is refused",
  async (subject) => {
    await subject.refusesConfig((spec) => {
      spec.mounts.push({ type: "tmpfs", source: "tmpfs" } as never);
    });
  },
);

check(
  "config/mounts-compatibility-old-tools-configurations",
  "a relative destination is relative to /",
  async (subject) => {
    const { mounts } = await subject.sight((spec) => {
      if (spec.process) spec.process.cwd = "/bin";
      spec.mounts.push({ destination: "tmp", type: "tmpfs", source: "tmpfs" });
    });
    expect(mounts.some(({ destination }) => destination === "/tmp")).toBe(true);
  },
);

check(
  "config/mounts-destination-destination-mount-point",
  "a symlink in a destination does not lead out of the root",
  async (subject) => {
    const outside = join(subject.directory, "outside");
    mkdirSync(outside);
    const { mounts } = await subject.sight((spec, { rootfs }) => {
      symlinkSync(outside, join(rootfs, "link"));
      spec.mounts.push({ destination: "/link/below", type: "tmpfs", source: "tmpfs" });
    });
    const mount = mounts.find(({ destination }) => destination.endsWith("/below"));
    expect(mount?.destination, "inside the root, where the link leads from there").toBe(`${outside}/below`);
    expect(readdirSync(outside), "what was made outside").toEqual([]);
  },
);

for (const [type, destination] of [
  ["proc", "/proc"],
  ["sysfs", "/sys"],
  ["devpts", "/dev/pts"],
  ["tmpfs", "/dev"],
] as const) {
  check("config/mounts-destination-destination-mount-point", `a mount of type ${type} is one`, async (subject) => {
    const { mounts } = await subject.sight();
    expect(mounts.find((mount) => mount.destination === destination)?.type).toBe(type);
  });
}

check("config/mounts-destination-destination-mount-point", "a mount of type mqueue is one", async (subject) => {
  const { mounts } = await subject.sight((spec) => {
    spec.mounts.push({ destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid"] });
  });
  expect(mounts.find(({ destination }) => destination === "/dev/mqueue")?.type).toBe("mqueue");
});

check(
  "config/mounts-destination-destination-mount-point",
  "a bind that is read-only cannot be written to",
  async (subject) => {
    const output = await subject.output("touch /tmp/file 2>&1 || true", (spec, { path }) => {
      spec.mounts.push({ destination: "/tmp", type: "bind", source: path, options: ["rbind", "ro"] });
    });
    expect(output).toMatch(/Read-only file system/);
  },
);

check(
  "config/mounts-destination-destination-mount-point",
  "a relative source of a bind is relative to the bundle",
  async (subject) => {
    const output = await subject.output("ls /tmp", (spec, { path }) => {
      mkdirSync(join(path, "own"));
      writeFileSync(join(path, "own/file"), "");
      spec.mounts.push({ destination: "/tmp", type: "bind", source: "own", options: ["bind"] });
    });
    expect(output).toBe("file");
  },
);

for (const [id, given] of [
  ["config/mounts-specified-specified-along-gidmappings", "uidMappings"],
  ["config/mounts-specified-specified-along-uidmappings", "gidMappings"],
] as const) {
  check(id, `${given} of a mount alone are refused`, async (subject) => {
    await subject.refusesConfig((spec, { path }) => {
      spec.mounts.push({
        destination: "/tmp",
        type: "bind",
        source: path,
        options: ["bind", "idmap"],
        [given]: [{ containerID: 0, hostID: 1000, size: 1 }],
      });
    });
  });
}

for (const option of ["idmap", "ridmap"] as const) {
  check(`config/mount-option-${option}`, `a mount with ${option} shows the mapped owners`, async (subject) => {
    const { code, stdout } = await subject.command(["features"]);
    const enabled = code === 0 && JSON.parse(stdout).linux?.mountExtensions?.idmap?.enabled === true;
    if (!enabled) return subject.skip("the runtime does not list idmap in its features");
    const output = await subject.output("stat -c '%u %g' /tmp/file", (spec, { path }) => {
      mkdirSync(join(path, "owned"));
      writeFileSync(join(path, "owned/file"), "");
      spec.mounts.push({
        destination: "/tmp",
        type: "bind",
        source: join(path, "owned"),
        options: [option === "idmap" ? "bind" : "rbind", option],
        uidMappings: [{ containerID: 0, hostID: 1234, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: 4321, size: 1 }],
      });
    });
    expect(output).toBe("1234 4321");
  });
}
