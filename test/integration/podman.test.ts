/** Podman with the runtime under test as its own, on an image imported from a tarball. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeRootfs } from "../support/rootfs.ts";
import { cannotRun, commandTimeout, hasProgram, runtime } from "./harness.ts";

const reason = cannotRun() ?? (hasProgram("podman") ? null : "needs podman");
let home: string;
let hierarchies: string[];

/** Global options that keep this test's Podman apart from the machine's own. */
function global(): string[] {
  return [
    ...["--root", join(home, "storage"), "--runroot", join(home, "run"), "--tmpdir", join(home, "libpod")],
    ...["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"],
    ...["--runtime", runtime],
  ];
}

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function podman(...args: string[]): Result {
  // Files, not pipes: conmon outlives Podman and would keep them open.
  const done = spawnSync("bash", ["-c", 'podman "$@" > "$OUT" 2> "$ERR" < /dev/null', "bash", ...global(), ...args], {
    env: { ...process.env, OUT: join(home, "out"), ERR: join(home, "err") },
    timeout: commandTimeout,
  });
  const read = (name: string): string => readFileSync(join(home, name), "utf8").replaceAll("\r", "");
  return { code: done.status, stdout: read("out"), stderr: read("err") };
}

// No network plugins and no raising of limits: the tests are not about those, and they need more of the machine.
const parent = `/tsrunc-podman-${process.pid}`;
const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"];
const modest = ["--cgroup-parent", parent, "--network", "none", ...limits];

/** Runs a container of the test's image to its end. @returns its output */
function run(flags: string[], command: string): string {
  const { code, stdout, stderr } = podman("run", "--rm", ...modest, ...flags, "busybox-test", "sh", "-c", command);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringMatching(/error/i) });
  return stdout.trim();
}

beforeAll(() => {
  if (reason !== null) return;
  hierarchies = readdirSync("/sys/fs/cgroup");
  home = mkdtempSync(join(tmpdir(), "tsrunc-podman-"));
  const rootfs = join(home, "rootfs");
  mkdirSync(rootfs);
  makeRootfs(rootfs);
  execFileSync("tar", ["-cf", join(home, "image.tar"), "-C", rootfs, "."]);
  expect(podman("import", join(home, "image.tar"), "busybox-test").code).toBe(0);
});

beforeEach(({ skip }) => {
  if (reason !== null) skip(reason);
});

afterEach(() => {
  if (reason === null) podman("rm", "--all", "--force", "--time", "0");
});

afterAll(() => {
  if (reason !== null) return;
  podman("system", "reset", "--force");
  for (const mount of readFileSync("/proc/self/mountinfo", "utf8").split("\n").reverse()) {
    const point = mount.split(" ")[4] ?? "";
    if (point.startsWith(home)) spawnSync("umount", ["--lazy", point]);
  }
  rmSync(home, { recursive: true, force: true });
  removeCgroups();
});

/** Podman leaves the parent cgroup, and makes plain directories in place of controllers that are not mounted. */
function removeCgroups(): void {
  const after = readdirSync("/sys/fs/cgroup");
  for (const name of ["", ...after]) {
    spawnSync("find", [join("/sys/fs/cgroup", name, parent), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
  }
  for (const name of after.filter((name) => !hierarchies.includes(name))) {
    if (`/${name}` !== parent) rmSync(join("/sys/fs/cgroup", name), { recursive: true, force: true });
  }
}

describe("podman run", () => {
  test("prints what the container prints", () => {
    expect(run([], "echo hello; echo $$")).toBe("hello\n1");
  });

  test("exits with the container's exit code", () => {
    expect(podman("run", "--rm", ...modest, "busybox-test", "sh", "-c", "exit 42").code).toBe(42);
  });

  test("exits with 127 for a command that does not exist, 126 for one that may not be executed", () => {
    expect(podman("run", "--rm", ...modest, "busybox-test", "no-such-command").code).toBe(127);
    expect(podman("run", "--rm", ...modest, "busybox-test", "/etc/passwd").code).toBe(126);
  });

  test("exits with 126 for a directory on a file, and says so beside a seccomp filter", () => {
    const { code, stderr } = podman(
      "run",
      "--rm",
      ...modest,
      "-v",
      `${home}/rootfs:/bin/busybox`,
      "busybox-test",
      "true",
    );
    expect({ code, stderr }).toEqual({
      code: 126,
      stderr: expect.stringMatching(/^Error: .*not a directory/),
    });
  });

  test("shows the message of the runtime's JSON log, where containers.conf says that there is one", () => {
    const file = join(home, "containers.conf");
    const engine = ["[engine]", 'runtime_supports_json = ["tested"]', "[engine.runtimes]", `tested = ["${runtime}"]`];
    writeFileSync(file, engine.join("\n"));
    process.env.CONTAINERS_CONF = file;
    const { code, stderr } = podman("--runtime", "tested", "run", "--rm", ...modest, "busybox-test", "nosuch");
    delete process.env.CONTAINERS_CONF;
    expect({ code, stderr }).toEqual({
      code: 127,
      stderr: expect.stringMatching(/^Error: tested: \w+ create failed: .*exec: "nosuch": executable file not found/),
    });
  });

  test("-v takes a volume, filled from the image or not", () => {
    expect(run(["-v", "filled:/etc"], "cat /etc/group | head -1")).toBe("root:x:0:");
    expect(run(["-v", "empty:/root:nocopy,ro"], "ls /root; (touch /root/file) 2>/dev/null || echo refused")).toBe(
      "refused",
    );
    podman("volume", "rm", "filled", "empty");
  });

  test("shares the namespaces of another container", () => {
    const id = podman("run", "--detach", ...modest, "busybox-test", "sleep", "1000").stdout.trim();
    const flags = ["pid", "ipc", "net"].map((type) => `--${type}=container:${id}`);
    const { stdout } = podman(
      "run",
      "--rm",
      "--cgroup-parent",
      parent,
      ...limits,
      ...flags,
      "busybox-test",
      "sh",
      "-c",
      "ps | grep [s]leep",
    );
    expect(stdout).toContain("sleep 1000");
  });

  test("-t gives the container a terminal", () => {
    expect(run(["-t"], "test -t 0 && test -t 1 && echo terminal")).toBe("terminal");
  });

  test("--user sets the user", () => {
    expect(run(["--user", "1000:2000"], "id -u; id -g")).toBe("1000\n2000");
  });

  test("--read-only makes the root read-only, /tmp stays writable", () => {
    expect(run(["--read-only"], "touch /file 2>/dev/null || echo refused; touch /tmp/file && echo tmp")).toBe(
      "refused\ntmp",
    );
  });

  test("-v binds a directory, ro read-only", () => {
    const data = join(home, "data");
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, "file"), "text");
    expect(run(["-v", `${data}:/data`], "cat /data/file; echo more > /data/new")).toBe("text");
    expect(readFileSync(join(data, "new"), "utf8")).toBe("more\n");
    expect(run(["-v", `${data}:/data:ro`], "(touch /data/no) 2>/dev/null || echo refused")).toBe("refused");
  });

  test("--pid host shows the host's processes", () => {
    expect(run(["--pid", "host"], "readlink /proc/self/ns/pid")).toBe(
      execFileSync("readlink", ["/proc/self/ns/pid"], { encoding: "utf8" }).trim(),
    );
  });

  test("--uidmap maps the ids", () => {
    const maps = run(
      ["--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000"],
      "cat /proc/self/uid_map; touch /new && id -u",
    );
    expect(maps.split("\n").map((line) => line.trim().split(/\s+/))).toEqual([["0", "100000", "5000"], ["0"]]);
  });

  test("--hostname, --env and --workdir are what the container has", () => {
    expect(run(["--hostname", "box", "--env", "X=y", "--workdir", "/tmp"], "hostname; echo $X; pwd")).toBe(
      "box\ny\n/tmp",
    );
  });

  test("--cap-drop all leaves no capability", () => {
    expect(run(["--cap-drop", "all"], "grep CapEff /proc/self/status")).toBe("CapEff:\t0000000000000000");
  });

  test("--tmpfs and --shm-size set the sizes", () => {
    expect(
      run(["--tmpfs", "/scratch:size=1m", "--shm-size", "2m"], "df -k /scratch /dev/shm | awk 'NR>1 {print $2}'"),
    ).toBe("1024\n2048");
  });
});

describe("a detached container", () => {
  function start(...flags: string[]): string {
    const { code, stdout, stderr } = podman("run", "--detach", ...modest, ...flags, "busybox-test", "sleep", "1000");
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.anything() });
    return stdout.trim();
  }

  const status = (id: string): string => podman("inspect", "--format", "{{.State.Status}}", id).stdout.trim();

  test("is run by the runtime under test", () => {
    expect(podman("inspect", "--format", "{{.OCIRuntime}}", start()).stdout.trim()).toBe(runtime);
  });

  test("takes podman exec, with its exit code, user, directory, environment and terminal", () => {
    const id = start();
    expect(podman("exec", id, "echo", "inside").stdout).toBe("inside\n");
    expect(podman("exec", id, "sh", "-c", "exit 7").code).toBe(7);
    expect(podman("exec", "--user", "1000", id, "id", "-u").stdout).toBe("1000\n");
    expect(podman("exec", "--workdir", "/tmp", "--env", "X=y", id, "sh", "-c", "pwd; echo $X").stdout).toBe(
      "/tmp\ny\n",
    );
    expect(podman("exec", "-t", id, "sh", "-c", "test -t 1 && echo terminal").stdout).toBe("terminal\n");
    expect(podman("exec", id, "no-such-command").code).toBe(127);
    expect(podman("exec", id, "/etc").code).toBe(126);
  });

  test("is stopped, started again and removed", () => {
    const id = start();
    expect(podman("stop", "--time", "0", id).code).toBe(0);
    expect(status(id)).toBe("exited");
    expect(podman("start", id).code).toBe(0);
    expect(status(id)).toBe("running");
    expect(podman("rm", "--force", "--time", "0", id).code).toBe(0);
    expect(podman("ps", "--all", "--quiet").stdout).toBe("");
  });

  test("is killed with a signal", () => {
    const id = start();
    expect(podman("kill", "--signal", "KILL", id).code).toBe(0);
    expect(podman("wait", id).stdout).toBe("137\n");
  });

  test("is paused and goes on", () => {
    const id = start();
    expect(podman("pause", id).code).toBe(0);
    expect(status(id)).toBe("paused");
    expect(podman("unpause", id).code).toBe(0);
    expect(status(id)).toBe("running");
  });

  test("shows its processes to podman top", () => {
    expect(podman("top", start(), "args").stdout).toContain("sleep 1000");
  });
});

test("podman build runs commands", () => {
  const context = join(home, "context");
  mkdirSync(context);
  const lines = ["FROM busybox-test", "RUN echo made > /made && id -u", "USER 1000", "RUN id -u; exit 3"];
  writeFileSync(join(context, "Dockerfile"), lines.join("\n"));
  const { code, stdout, stderr } = podman("build", "--network", "none", ...limits, "--pull-never", context);
  expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringContaining("exit status 3") });
  expect(stdout).toMatch(/^0$.*^1000$/ms);
});
