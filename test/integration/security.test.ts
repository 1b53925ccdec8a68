/** What a hostile image, container, neighbour or bundle directory must not achieve. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  commandLine,
  commandTimeout,
  directory,
  type Edit,
  ended,
  makeBundle,
  newId,
  refused,
  run,
  runtime,
  spawnTsrunc,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

/** A directory of the host with a file in it, and the redirection that has the runtime inherit it as descriptor 9. */
function hostDirectory(): { path: string; redirection: string } {
  const path = join(directory(), "host");
  mkdirSync(path);
  writeFileSync(join(path, "secret"), "the host's\n");
  return { path, redirection: `9<${path}` };
}

/** Runs the runtime from a shell that has opened descriptors for it. */
function withDescriptors(redirection: string, args: string[], cwd = process.cwd()) {
  const script = `exec "$@" ${redirection} </dev/null >/dev/null 2>&1`;
  return spawnSync("bash", ["-c", script, "bash", ...commandLine(args)], {
    encoding: "utf8",
    timeout: commandTimeout,
    cwd,
  });
}

describe("what the caller has open on the host", () => {
  test("is no way to make a directory there, by the cwd (CVE-2024-21626)", () => {
    const host = hostDirectory();
    const bundle = makeBundle("true", (config) => {
      config.process.cwd = "/proc/self/fd/9/made";
    });
    expect(withDescriptors(host.redirection, ["run", "--bundle", bundle.path, newId()]).status).toBe(1);
    // Nor where the container is to have the descriptor, and so the runtime keeps it.
    const passing = ["run", "--preserve-fds", "7", "--bundle", bundle.path, newId()];
    expect(withDescriptors(`3<&0 4<&0 5<&0 6<&0 7<&0 8<&0 ${host.redirection}`, passing).status).toBe(1);
    expect(readdirSync(host.path)).toEqual(["secret"]);
    // It is for the directory: with another one it runs.
    const plain = makeBundle("true");
    expect(withDescriptors(host.redirection, ["run", "--bundle", plain.path, newId()]).status).toBe(0);
    expect(readdirSync(host.path)).toEqual(["secret"]);
  });

  test("is no working directory, whatever descriptor it is (CVE-2024-21626)", () => {
    const host = hostDirectory();
    for (let fd = 3; fd < 16; fd++) {
      const bundle = makeBundle("cat secret", (config) => {
        config.process.cwd = `/proc/self/fd/${fd}`;
      });
      expect(withDescriptors(host.redirection, ["run", "--bundle", bundle.path, newId()]).status, `fd ${fd}`).not.toBe(
        0,
      );
    }
    // It is for the working directory: with another one it runs.
    const plain = makeBundle("true");
    expect(withDescriptors(host.redirection, ["run", "--bundle", plain.path, newId()]).status).toBe(0);
  });

  test("is not in the init that waits for start, where an exec could find it", () => {
    const host = hostDirectory();
    const id = newId();
    withDescriptors(host.redirection, ["create", "--bundle", makeBundle("true").path, id]);
    const script = "for fd in /proc/1/fd/*; do [ -d $fd ] && ls $fd/; done; cat /proc/1/fd/*/secret";
    expect(tsrunc(["exec", id, "sh", "-c", script]).stdout).not.toContain("secret");
    const links = execFileSync("bash", ["-c", `readlink /proc/${state(id).pid}/fd/*`], { encoding: "utf8" });
    expect(links).not.toContain(host.path);
  });

  test("does not leak into hooks", () => {
    const host = hostDirectory();
    const seen = join(directory(), "seen");
    const hook = { path: "/bin/sh", args: ["sh", "-c", `readlink /proc/self/fd/* >> ${seen}; true`] };
    const inside = { path: "/bin/sh", args: ["sh", "-c", "test ! -e /proc/self/fd/4"] };
    const bundle = makeBundle("test -e /proc/self/fd/4", (config) => {
      config.hooks = { createRuntime: [hook], startContainer: [inside], poststart: [hook], poststop: [hook] };
    });
    const id = newId();
    const redirections = [3, 4, 5].map((fd) => `${fd}<${host.path}`).join(" ");
    for (const args of [
      ["create", "--preserve-fds", "2", "--bundle", bundle.path, id],
      ["start", id],
      ["delete", "--force", id],
    ]) {
      withDescriptors(redirections, args);
    }
    expect(readFileSync(seen, "utf8")).not.toContain(host.path);
  });
});

describe("the environment of the runtime's caller", () => {
  const SECRET = "a-secret-of-the-caller";
  const env = { TOKEN: SECRET };

  test("is not in the init that waits for start, neither in /proc/1/environ nor elsewhere in its memory", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id], { env });
    const { pid } = state(id);
    expect(readFileSync(`/proc/${pid}/environ`, "latin1").replaceAll("\0", "")).toBe("");
    expect(succeed(["exec", id, "cat", "/proc/1/environ"], { env }).replaceAll("\0", "")).toBe("");
    // An engine that is no snapshot has copies of its own.
    if (existsSync(`${runtime}-plain`)) expect(mappingsWith(pid, SECRET)).toEqual([]);
  });

  test("is a createContainer hook's that says nothing of its own, and forgotten afterwards", () => {
    const id = newId();
    const seen = join(directory(), "seen");
    const bundle = makeBundle("true", (config) => {
      const args = ["sh", "-c", `echo $TOKEN > ${seen}`];
      config.hooks = { createContainer: [{ path: "/bin/sh", args }] };
    });
    succeed(["create", "--bundle", bundle.path, id], { env });
    expect(readFileSync(seen, "utf8")).toBe(`${SECRET}\n`);
    expect(readFileSync(`/proc/${state(id).pid}/environ`, "latin1").replaceAll("\0", "")).toBe("");
  });
});

/** Where in a process's memory a text is. */
function mappingsWith(pid: number, text: string): string[] {
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const found = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .filter((line) => {
      const [, start = "", end = ""] = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line) ?? [];
      const [from, to] = [Number.parseInt(start, 16), Number.parseInt(end, 16)];
      if (!(to - from < 2 ** 30)) return false;
      const bytes = Buffer.alloc(to - from);
      try {
        return readSync(memory, bytes, 0, bytes.length, from) > 0 && bytes.includes(text);
      } catch {
        return false; // vvar, and what else cannot be read
      }
    });
  closeSync(memory);
  return found;
}

describe("a neighbour with the capability to trace", () => {
  const mapping = [{ containerID: 0, hostID: 100000, size: 65536 }];

  test("cannot reach the host through an init that joins its user and pid namespace (CVE-2016-9962)", async () => {
    const first = startDetached("sleep 1000", (config) => {
      config.linux.namespaces.push({ type: "user" });
      Object.assign(config.linux, { uidMappings: mapping, gidMappings: mapping });
    });
    const host = hostDirectory();
    const held = join(host.path, "held");
    const bundle = makeBundle("true", (config) => {
      const path = (name: string) => `/proc/${state(first).pid}/ns/${name}`;
      config.linux.namespaces = config.linux.namespaces.map(({ type }) =>
        type === "pid" ? { type, path: path("pid") } : { type },
      );
      config.linux.namespaces.push({ type: "user", path: path("user") });
      const script = `touch ${held}; while [ -e ${held} ]; do sleep 0.05; done`;
      config.hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", script] }] };
    });
    const id = newId();
    const creating = spawnTsrunc(["create", "--bundle", bundle.path, id]);
    await until("the hook holds the creation up", () => existsSync(held));
    const attack = `for process in /proc/[0-9]*; do cat $process/root${host.path}/secret; done`;
    const { stdout } = tsrunc(["exec", "--cap", "CAP_SYS_PTRACE", first, "sh", "-c", attack]);
    rmSync(held);
    expect(await ended(creating)).toBe(0);
    expect(stdout).toBe("");
  });
});

describe("a process of the container with the capability to trace", () => {
  // By exec it was in the container's pid namespace before it had joined its mounts: 12 of 15 times its root was the host's to read.
  test.each(["exec", "mounts"])("finds no file of the host's by way of a process that %s starts", async (command) => {
    const host = hostDirectory();
    const id = startDetached("sleep 1000", (config) => {
      for (const set of ["bounding", "effective", "permitted"] as const) {
        config.process.capabilities[set]?.push("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH");
      }
    });
    const { bundle } = state(id);
    const found = join(bundle, "rootfs/tmp/found");
    const tried = join(bundle, "rootfs/tmp/tried");
    const file = join(directory(), "mounts.json");
    writeFileSync(file, JSON.stringify([{ destination: "/mnt/x", type: "tmpfs", source: "tmpfs" }]));
    const commands = {
      exec: [["exec", id, "true"]],
      mounts: [
        ["mounts", "add", id, file],
        ["mounts", "remove", id, file],
      ],
    }[command] as string[][];
    // By the shell's own means, which starts no process for it. What is beside a container's state is the host's, too.
    const attack = `echo > /tmp/tried
      while [ ! -e /tmp/stop ]; do for process in /proc/[0-9]*; do
        for place in $process/root${host.path} $process/cwd $process/fd/*; do
          { read secret < $place/secret; } 2>/dev/null && echo $place >> /tmp/found
          { read secret < $place/../${id}/state.json; } 2>/dev/null && echo $place >> /tmp/found; done
      done; done`;
    succeed(["exec", "--detach", id, "sh", "-c", attack]);
    await until("the attack has begun", () => existsSync(tried));
    for (let times = 0; times < 30; times++) {
      for (const args of commands) withDescriptors(host.redirection, args, host.path);
    }
    writeFileSync(join(bundle, "rootfs/tmp/stop"), "");
    expect(existsSync(found) ? readFileSync(found, "utf8") : "").toBe("");
  });
});

test("the host's /sys, bound where a user namespace may mount none, can be written to nowhere, its cgroups neither", () => {
  // Root of all ids is the host's root to the host's files.
  const mapping = [{ containerID: 0, hostID: 0, size: 65536 }];
  const bundle = makeBundle("cat /proc/mounts", (config) => {
    const kept = config.linux.namespaces.filter(({ type }) => type !== "network");
    config.linux.namespaces = [...kept, { type: "user" }];
    Object.assign(config.linux, { uidMappings: mapping, gidMappings: mapping });
    const options = ["nosuid", "noexec", "nodev", "ro"];
    config.mounts = [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/sys", type: "sysfs", source: "sysfs", options },
    ];
  });
  const mounts = succeed(["run", "--bundle", bundle.path, newId()]).trim().split("\n");
  const below = mounts.map((line) => line.split(" ")).filter(([, target]) => /^\/sys(\/|$)/.test(target ?? ""));
  expect(below.length).toBeGreaterThan(1);
  expect(below.filter(([, , , options = ""]) => !options.split(",").includes("ro"))).toEqual([]);
});

describe("a hostile bundle directory", () => {
  test("loads no code into the runtime that has it as working directory", () => {
    const bundle = makeBundle("sleep 1000");
    const mark = join(directory(), "loaded");
    const write = (name: string, text: string) => writeFileSync(join(bundle.path, name), text);
    write("evil.ts", `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");`);
    write(".env", `BUN_OPTIONS=--preload=${bundle.path}/evil.ts\nPATH=${bundle.path}\n`);
    write("bunfig.toml", 'preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n');
    write("package.json", '{"main":"./evil.ts","imports":{"#x":"./evil.ts"}}');
    write("tsconfig.json", '{"compilerOptions":{"paths":{"*":["./evil.ts"]}}}');
    mkdirSync(join(bundle.path, "node_modules/koffi"), { recursive: true });
    write("node_modules/koffi/index.js", readFileSync(join(bundle.path, "evil.ts"), "utf8"));
    const id = newId();
    const options = { cwd: bundle.path };
    succeed(["create", "--bundle", ".", id], options);
    for (const args of [["state", id], ["exec", id, "true"], ["start", id], ["list"]]) succeed(args, options);
    expect(succeed(["exec", id, "echo", "runs"], options)).toBe("runs\n");
    succeed(["delete", "--force", id], options);
    expect(existsSync(mark)).toBe(false);
  });
});

describe("a hook's output", () => {
  // Each byte takes six in JSON: more than a pipe or a message holds.
  const flood =
    "i=0; while [ $i -lt 1100 ]; do printf '\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001\\001'; i=$((i+1)); done; exit 3";
  const hook = { path: "/bin/sh", args: ["sh", "-c", flood] };

  test("of startContainer, however long, does not hold start up", () => {
    const id = newId();
    const bundle = makeBundle("true", (config) => {
      config.hooks = { startContainer: [hook] };
    });
    succeed(["create", "--bundle", bundle.path, id]);
    expect(refused(["start", id])).toMatch(/error running startContainer hook #\d: .*exit status 3/);
  });

  test("of createContainer, however long, does not hide the hook's failure", () => {
    const { code, stderr } = run("true", (config) => {
      config.hooks = { createContainer: [hook] };
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/error running createContainer hook #\d: .*exit status 3/);
  });
});

describe("files of the image", () => {
  test.each(["fifo", "device", "link to /proc"])("a /etc/passwd that is a %s does not hold the start up", (kind) => {
    const { code, stdout } = run("echo $HOME", (config, { rootfs }) => {
      const path = join(rootfs, "etc/passwd");
      mkdirSync(join(rootfs, "etc"), { recursive: true });
      rmSync(path, { force: true });
      if (kind === "fifo") execFileSync("mkfifo", [path]);
      if (kind === "device") execFileSync("mknod", [path, "c", "1", "5"]);
      if (kind === "link to /proc") symlinkSync("/proc/self/environ", path);
      config.process.env = ["PATH=/bin"];
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "/\n" });
  });

  test("a /proc that is a symlink is refused (CVE-2023-27561)", () => {
    const { code, stderr } = run("true", (_, { rootfs }) => {
      rmSync(join(rootfs, "proc"), { recursive: true, force: true });
      mkdirSync(join(rootfs, "elsewhere"));
      symlinkSync("elsewhere", join(rootfs, "proc"));
    });
    expect(code).toBe(1);
    expect(stderr).toContain("must be mounted on ordinary directory");
  });

  test("a /dev/console that is a symlink is not followed (CVE-2025-52565)", () => {
    const bundle = makeBundle("true", (config, { rootfs }) => {
      config.mounts = config.mounts.filter(({ destination }: { destination: string }) => destination === "/proc");
      rmSync(join(rootfs, "dev"), { recursive: true, force: true });
      mkdirSync(join(rootfs, "dev/pts"), { recursive: true });
      config.mounts.push({
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["newinstance", "ptmxmode=0666"],
      });
      symlinkSync("/proc/sysrq-trigger", join(rootfs, "dev/console"));
      config.process.terminal = true;
    });
    const { code, stderr } = tsrunc(["run", "--bundle", bundle.path, newId()]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/console.*symbolic link/);
  });

  const withFalseNull =
    (maskedPaths: string[]): Edit =>
    (config, { rootfs }) => {
      config.mounts = config.mounts.filter(({ destination }: { destination: string }) => destination === "/proc");
      config.linux.maskedPaths = maskedPaths;
      rmSync(join(rootfs, "dev"), { recursive: true, force: true });
      mkdirSync(join(rootfs, "dev"), { recursive: true });
      symlinkSync("/proc/sys/kernel/core_pattern", join(rootfs, "dev/null"));
    };

  test("a /dev/null that is a symlink masks nothing by what it leads to (CVE-2025-31133)", () => {
    // With a standard input that is no null device: that would be opened anew, which is looked at by itself.
    const { code, stderr } = run("true", withFalseNull(["/proc/kcore"]), { input: "x" });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("can't mask paths") });
  });

  test("nor is it opened in the place of a standard stream", () => {
    const { code, stderr } = run("true", withFalseNull([]));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("is not the null device") });
  });
});
