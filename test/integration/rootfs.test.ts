import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TestSpec } from "../support/config.ts";
import {
  directory,
  isTsrunc,
  makeBundle,
  newId,
  output,
  run,
  startDetached,
  succeed,
  useContainers,
} from "./harness.ts";

useContainers();

test("the container sees its rootfs and nothing of the host's", () => {
  expect(output("ls /").split("\n").sort()).toEqual(["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"]);
});

test("a read-only root refuses writes, mounts below it allow them", () => {
  const script = "touch /file 2>/dev/null && echo root; touch /dev/shm/file && echo shm";
  expect(output(script, (config) => Object.assign(config.root, { readonly: true }))).toBe("shm");
});

test("--no-pivot gives the same root", () => {
  expect(run("ls /", undefined, { flags: ["--no-pivot"] }).stdout).toContain("bin\n");
});

describe("masked paths", () => {
  test("of files are empty, of directories too", () => {
    const bundle = makeBundle("wc -c < /secret/file; ls /hidden | wc -l", (config, { rootfs }) => {
      for (const name of ["secret", "hidden"]) mkdirSync(join(rootfs, name));
      writeFileSync(join(rootfs, "secret/file"), "text");
      writeFileSync(join(rootfs, "hidden/file"), "text");
      config.linux.maskedPaths.push("/secret/file", "/hidden", "/does/not/exist");
    });
    expect(succeed(["run", "--bundle", bundle.path, newId()])).toBe("0\n0\n");
  });
});

test("read-only paths refuse writes", () => {
  const bundle = makeBundle("touch /locked/file 2>/dev/null && echo written; echo tried", (config, { rootfs }) => {
    mkdirSync(join(rootfs, "locked"));
    config.linux.readonlyPaths.push("/locked", "/does/not/exist");
  });
  expect(succeed(["run", "--bundle", bundle.path, newId()])).toBe("tried\n");
});

test.skipIf(!isTsrunc)("without a mount namespace nothing is mounted, on the host or elsewhere", () => {
  const edit = (config: TestSpec) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "mount" && type !== "pid");
    Object.assign(config.linux, { maskedPaths: [], readonlyPaths: [] });
    config.mounts = [];
  };
  const id = startDetached("sleep 1000", (config) => edit(config));
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(directory());
  expect(succeed(["exec", id, "ls", "/bin/busybox"]).trim()).toBe("/bin/busybox");
});

describe("devices", () => {
  test("the default ones exist and work", () => {
    const script = "for d in null zero full random urandom tty; do stat -c '%n %t:%T %a' /dev/$d; done";
    expect(output(script).split("\n")).toEqual([
      "/dev/null 1:3 666",
      "/dev/zero 1:5 666",
      "/dev/full 1:7 666",
      "/dev/random 1:8 666",
      "/dev/urandom 1:9 666",
      "/dev/tty 5:0 666",
    ]);
    expect(output("echo x > /dev/null && head -c 3 /dev/zero | wc -c")).toBe("3");
  });

  test("the links of /dev are there", () => {
    expect(output("cd /dev; for l in fd stdin stdout stderr ptmx; do readlink $l; done").split("\n")).toEqual([
      "/proc/self/fd",
      "/proc/self/fd/0",
      "/proc/self/fd/1",
      "/proc/self/fd/2",
      "pts/ptmx",
    ]);
  });

  test("linux.devices makes more, with mode and owner", () => {
    const shown = output("stat -c '%F %t:%T %a %u:%g' /dev/extra", (config) => {
      config.linux.devices = [
        { path: "/dev/extra", type: "c", major: 10, minor: 229, fileMode: 0o640, uid: 1000, gid: 2000 },
      ];
    });
    expect(shown).toBe("character special file a:e5 640 1000:2000");
  });
});

describe("sysctl", () => {
  test("of the container's network and ipc namespaces are set", () => {
    const values = output("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni", (config) => {
      config.linux.sysctl = { "net.ipv4.ip_forward": "1", "kernel.shmmni": "1234" };
    });
    expect(values).toBe("1\n1234");
  });

  test("of the host is refused", () => {
    const { code, stderr } = run("true", (config) => {
      config.linux.sysctl = { "vm.swappiness": "1" };
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/vm\.swappiness/);
  });
});

test("hostname is set, domainname where the runtime knows it", () => {
  const shown = output("hostname; cat /proc/sys/kernel/domainname", (config) => {
    config.hostname = "box";
    config.domainname = "example.org";
  });
  expect(shown.split("\n")[0]).toBe("box");
  if (isTsrunc) expect(shown.split("\n")[1]).toBe("example.org");
});
