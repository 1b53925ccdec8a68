import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { NamespaceType } from "../../src/config/types.ts";
import type { TestSpec } from "../support/config.ts";
import {
  commandLine,
  commandTimeout,
  directory,
  isTsrunc,
  makeBundle,
  newId,
  output,
  refused,
  run,
  runtime,
  startDetached,
  state,
  useContainers,
} from "./harness.ts";

useContainers();

const files: Record<NamespaceType, string> = {
  pid: "pid",
  network: "net",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  user: "user",
  cgroup: "cgroup",
  time: "time",
};

function hasVeth(): boolean {
  return spawnSync("unshare", ["--net", "ip", "link", "add", "v0", "type", "veth"]).status === 0;
}

function setNamespace(config: TestSpec, type: NamespaceType, path?: string): void {
  config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== type);
  config.linux.namespaces.push(path === undefined ? { type } : { type, path });
}

describe("a new namespace", () => {
  test.each(["pid", "network", "mount", "ipc", "uts", "cgroup"] as const)("of type %s is not the host's", (type) => {
    const inside = output(["readlink", `/proc/self/ns/${files[type]}`], (config) => setNamespace(config, type));
    expect(inside).toMatch(/^\w+:\[\d+\]$/);
    expect(inside).not.toBe(readlinkSync(`/proc/self/ns/${files[type]}`));
  });

  test("of the network has its loopback up", () => {
    expect(output("ip addr show lo")).toMatch(/<LOOPBACK,UP,LOWER_UP>|127\.0\.0\.1/);
  });

  test("of pids makes the process number 1", () => {
    expect(output("echo $$")).toBe("1");
  });
});

test("a type that the config does not list is the runtime's own", () => {
  const inside = output("readlink /proc/self/ns/ipc; readlink /proc/self/ns/net", (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "ipc" && type !== "network");
    config.linux.sysctl = {};
  });
  expect(inside).toBe(`${readlinkSync("/proc/self/ns/ipc")}\n${readlinkSync("/proc/self/ns/net")}`);
});

describe("a container that has no cgroup, since its runtime may make none", () => {
  /** Runs a container where all cgroups are read-only, and says what was written on stderr. */
  function runWithoutCgroups(edit: (config: TestSpec) => void): string {
    const bundle = makeBundle("echo ran", edit);
    const script = `awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts | while read -r mount; do
      mount -o remount,bind,ro "$mount" || exit
    done && exec "$@"`;
    const command = [
      runtime,
      "--root",
      join(directory(), "state"),
      "--rootless",
      "true",
      "run",
      "--bundle",
      bundle.path,
    ];
    const args = ["--mount", "sh", "-c", script, "sh", ...command, newId()];
    const { status, stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8" });
    expect({ status, stdout }, stderr).toEqual({ status: 0, stdout: "ran\n" });
    return stderr;
  }

  test("is warned of without a pid namespace of its own: nothing tells which processes are its", () => {
    const shared = (config: TestSpec) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    };
    expect(runWithoutCgroups(shared)).toMatch(/level=warning.*no cgroup.*pid namespace.*strongly discouraged/);
  });

  test("is nothing to speak of with one", () => {
    expect(runWithoutCgroups(() => {})).toBe("");
  });
});

describe("a namespace joined by path", () => {
  test.each(["pid", "network", "ipc", "uts"] as const)("of type %s is the other container's", (type) => {
    const { pid } = state(startDetached());
    const path = `/proc/${pid}/ns/${files[type]}`;
    const inside = output(["readlink", `/proc/self/ns/${files[type]}`], (config) => {
      setNamespace(config, type, path);
      if (type === "uts") config.hostname = "container";
    });
    expect(inside).toBe(readlinkSync(path));
  });

  test("of pids shows the other container's processes", () => {
    const { pid } = state(startDetached("sleep 4321"));
    const shown = output("ps", (config) => setNamespace(config, "pid", `/proc/${pid}/ns/pid`));
    expect(shown).toMatch(/sleep 4321/);
  });

  test.skipIf(!hasVeth())("of the network gets the devices that move to it, however soon (needs veth devices)", () => {
    const { pid } = state(startDetached());
    const name = `tsr${process.pid % 100_000}`;
    execFileSync("ip", ["link", "add", name, "type", "veth", "peer", "name", `${name}p`]);
    try {
      const shown = output("cat /proc/net/dev", (config) => {
        setNamespace(config, "network", `/proc/${pid}/ns/net`);
        config.linux.netDevices = { [name]: {} };
      });
      expect(shown).toContain(`${name}:`);
    } finally {
      spawnSync("ip", ["link", "delete", `${name}p`]);
    }
  });

  test.skipIf(!hasVeth()).each([
    ["that cannot leave, the loopback device", "lo", {}],
    ["whose name is taken there", "v0", { name: "lo" }],
  ])("a network device %s stays up, with its addresses (needs veth devices)", (_, name, device) => {
    const { path } = makeBundle("true", (config) => {
      config.linux.netDevices = { [name]: device };
    });
    const script =
      'ip link set lo up; ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up; ip address add 2001:db8::7/64 dev v0 nodad; ip -o address > "$0"; "$@"; code=$?; ip -o address > "$0.after"; exit $code';
    const file = join(directory(), "addresses");
    const args = ["--net", "sh", "-c", script, file, ...commandLine(["run", "--bundle", path, newId()])];
    const { status, stderr } = spawnSync("unshare", args, { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stderr).toContain(`/linux/netDevices/${name}`);
    // Those of the link come when they come.
    const seen = (text: string) => text.match(/^\d+: +\S+ +inet6? +(?!fe80)\S+/gm)?.sort();
    const before = readFileSync(file, "utf8");
    expect(before).toMatch(/lo +inet 127.0.0.1[\s\S]*2001:db8::7/);
    expect(seen(readFileSync(`${file}.after`, "utf8"))).toEqual(seen(before));
  });

  test.skipIf(!hasVeth())(
    "of the network gives the first free number to each device of a template (needs veth devices)",
    () => {
      const names = ["a", "b"].map((end) => `tsr${process.pid % 100_000}${end}`);
      execFileSync("ip", ["link", "add", names[0] as string, "type", "veth", "peer", "name", names[1] as string]);
      execFileSync("ip", ["address", "add", "203.0.113.7/32", "dev", names[0] as string]);
      try {
        const shown = output("ip -o address; ip -o link", (config) => {
          config.linux.netDevices = {
            [names[0] as string]: { name: "given%d" },
            [names[1] as string]: { name: "given%d" },
          };
        });
        expect(shown).toMatch(/ given0 +inet 203\.0\.113\.7\/32/);
        expect(shown).toMatch(/given0[@:].*[<,]UP[,>]/);
        expect(shown).toMatch(/given1[@:].*[<,]UP[,>]/);
      } finally {
        spawnSync("ip", ["link", "delete", names[0] as string]);
      }
    },
  );

  test("of pids is joined by the root of a user namespace, who may not come back to the host's", () => {
    const bundle = makeBundle("echo $$; ps", (config) => {
      setNamespace(config, "pid", "@joined@");
      config.linux.resources = {};
      config.mounts = config.mounts.filter(({ type }) => type === "proc");
    });
    const script = `unshare --pid --fork sleep 4322 & sleeping=$!
      until pgrep -P $sleeping > /dev/null; do sleep 0.05; done
      sed -i "s#@joined@#/proc/$sleeping/ns/pid_for_children#" "$0"
      "$@"; status=$?; pkill -KILL -P $sleeping; exit $status`;
    const command = [runtime, "--root", join(directory(), "state"), "run", "--bundle", bundle.path, newId()];
    const args = ["--user", "--map-root-user", "sh", "-c", script, join(bundle.path, "config.json"), ...command];
    const { status, stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", timeout: commandTimeout });
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^\d+\n(.*\n)*\s*1 .*sleep 4322/);
  });

  test("is refused when its file is missing", () => {
    const { code, stderr } = run("true", (config) => setNamespace(config, "network", "/proc/1/ns/missing"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/\/proc\/1\/ns\/missing/);
  });

  test("is refused when its file is of another type", () => {
    const { code, stderr } = run("true", (config) => setNamespace(config, "network", "/proc/self/ns/ipc"));
    expect(code).toBe(1);
    expect(stderr).not.toBe("");
  });
});

describe("a user namespace", () => {
  function mapped(config: TestSpec): void {
    setNamespace(config, "user");
    config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: 200000, size: 65536 }];
  }

  test("maps the ids of the config", () => {
    const maps = output("cat /proc/self/uid_map /proc/self/gid_map", mapped);
    expect(maps.split("\n").map((line) => line.trim().split(/\s+/))).toEqual([
      ["0", "100000", "65536"],
      ["0", "200000", "65536"],
    ]);
  });

  test("runs the process as the host's mapped user", () => {
    const { pid } = state(startDetached("sleep 1000", mapped));
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t100000\t/m);
    expect(status).toMatch(/^Gid:\t200000\t/m);
  });

  test("has working devices, bound from the host", () => {
    expect(output("echo x > /dev/null && head -c 2 /dev/zero | wc -c", mapped)).toBe("2");
  });

  test("owns the other namespaces", () => {
    const name = output("hostname changed && hostname", (config) => {
      mapped(config);
      for (const set of ["bounding", "effective", "permitted"] as const) {
        config.process.capabilities[set]?.push("CAP_SYS_ADMIN");
      }
    });
    expect(name).toBe("changed");
  });

  test("without mappings is refused", () => {
    const { code, stderr } = run("true", (config) => setNamespace(config, "user"));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("mappings") });
  });
});

test.runIf(isTsrunc).each(["network", "pid"] as const)(
  "a FIFO in the place of a %s namespace is refused, and not waited for",
  (type) => {
    const fifo = join(directory(), "fifo");
    execFileSync("mkfifo", [fifo]);
    const bundle = makeBundle("true", (config) => {
      config.linux.namespaces = [{ type, path: fifo }, { type: "mount" }, { type: "uts" }];
    });
    const error = refused(["create", "--bundle", bundle.path, newId()]);
    expect(error).toContain("/linux/namespaces/0");
    expect(error).toContain(fifo);
  },
);
