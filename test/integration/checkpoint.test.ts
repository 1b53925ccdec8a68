/** Checkpoints of real processes by CRIU. Where no CRIU works, only what is refused is tested. */
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { hasFeature, whyNot } from "../support/criu.ts";
import {
  COUNTING,
  checkpoint,
  count,
  countsOn,
  criu,
  env,
  images,
  networkNamespace,
  quietly,
  restore,
  start,
} from "./checkpoints.ts";
import {
  commandLine,
  directory,
  makeBundle,
  newId,
  pause,
  type Result,
  refused,
  startDetached,
  state,
  stateRoot,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

function sh(id: string, script: string): Result {
  return tsrunc(["exec", id, "sh", "-c", script]);
}

describe("what is refused", () => {
  beforeEach(({ skip }) => {
    if (whyNot(process.env.PATH ?? "") === "needs criu") skip("needs criu");
  });

  test("a container that does not run", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    expect(refused(["checkpoint", "--image-path", images(), id])).toContain("cannot be checkpointed in created state");
    succeed(["start", id]);
    expect(existsSync(images())).toBe(false);
  });

  test("a container that there is not", () => {
    expect(refused(["checkpoint", "--image-path", images(), "nobody"])).toContain("container does not exist");
  });

  test("a parent that is absolute, or not there, before anything is held or written", () => {
    const id = startDetached();
    const absolute = refused(["checkpoint", "--image-path", images(), "--parent-path", directory(), id]);
    expect(absolute).toContain("--parent-path");
    expect(absolute).toContain("relative");
    expect(refused(["checkpoint", "--image-path", images(), "--parent-path", "../none", id])).toContain(
      "--parent-path",
    );
    expect(existsSync(images())).toBe(false);
    expect(state(id).status).toBe("running");
  });

  test.each([
    [["--manage-cgroups-mode", "some"], "must be one of soft, full, strict, ignore"],
    [["--page-server", "localhost"], "ADDRESS:PORT"],
    [["--page-server", "localhost:70000"], "65535"],
    [["--empty-ns", "pid"], "is not supported: only network is"],
    [["--status-fd", "77", "--lazy-pages"], "--status-fd argument 77"],
  ])("checkpoint %s", (flags, words) => {
    const id = startDetached();
    expect(refused(["checkpoint", "--image-path", images(), ...flags, id])).toContain(words);
    expect(state(id).status).toBe("running");
  });

  test("a checkpoint without criu", () => {
    const id = startDetached();
    expect(refused(["checkpoint", "--image-path", images(), id], { env: { PATH: "/nowhere" } })).toContain(
      "needs criu",
    );
    expect(existsSync(images())).toBe(false);
  });

  test("images that are not there, or are none", () => {
    const { path } = makeBundle("true");
    const args = ["restore", "--bundle", path, "--image-path", images()];
    expect(refused([...args, newId()])).toContain(`${images()}: there is no such directory`);
    mkdirSync(images());
    expect(refused([...args, newId()])).toContain("no checkpoint of a container");
    writeFileSync(join(images(), "descriptors.json"), '{"0": 1}');
    expect(refused([...args, newId()])).toContain("a list of three descriptors' names is expected");
  });

  test("namespaces and mounts that cannot be restored", () => {
    const id = startDetached("sleep 1000", (config) => {
      config.linux.namespaces.push({ type: "cgroup", path: "/proc/self/ns/cgroup" });
    });
    expect(refused(["checkpoint", "--image-path", images(), id])).toMatch(/\/linux\/namespaces\/5.*cgroup namespace/);
    expect(state(id).status).toBe("running");
  });

  test("all, where criu does not work on this kernel, with the word of its own check", ({ skip }) => {
    const word = whyNot(process.env.PATH ?? "");
    if (word === null) return skip("criu works here");
    const id = startDetached();
    const said = refused(["checkpoint", "--image-path", images(), id]);
    expect(said).toContain("criu does not work on this machine: criu check: Error");
    expect(said).toContain(word.slice(word.indexOf("Error")));
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(state(id).status).toBe("running");
  });
});

describe.skipIf(criu.kind === "none")(`checkpoint and restore${criu.kind === "none" ? `: ${criu.whyNot}` : ""}`, () => {
  test("a process goes on from where it was, twice", async () => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    for (let round = 0; round < 2; round++) {
      checkpoint(id);
      expect(refused(["state", id])).toContain("container does not exist");
      expect(readdirSync(stateRoot())).toEqual([]);
      const before = count(bundle);
      await pause(300);
      expect(count(bundle)).toBe(before);
      restore({ id, bundle }, "--pid-file", join(directory(), "pid"));
      await countsOn(bundle, before);
      expect(state(id)).toMatchObject({
        status: "running",
        pid: Number(readFileSync(join(directory(), "pid"), "utf8")),
      });
      expect(readdirSync(join(stateRoot(), id)).sort()).toEqual(["config.json", "state.json"]);
      expect(sh(id, "cat /proc/1/comm")).toMatchObject({ code: 0, stdout: "sh\n" });
    }
    expect(readFileSync("/proc/mounts", "utf8")).not.toContain(stateRoot());
  });

  test("left running, it is both", async () => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    checkpoint(id, "--leave-running");
    await countsOn(bundle, count(bundle));
    expect(state(id).status).toBe("running");
    succeed(["delete", "--force", id]);
    restore({ id, bundle });
    await countsOn(bundle, count(bundle));
  });

  test("a paused one is restored running", async () => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    succeed(["pause", id]);
    checkpoint(id);
    restore({ id, bundle });
    await countsOn(bundle, count(bundle));
    expect(state(id).status).toBe("running");
  });

  test("a paused one that is left stays paused", async () => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    succeed(["pause", id]);
    checkpoint(id, "--leave-running");
    expect(state(id).status).toBe("paused");
    succeed(["resume", id]);
    await countsOn(bundle, count(bundle));
  });

  test("in the foreground, with the caller's pipes, its exit code is the command's", () => {
    const bundle = makeBundle("read line; echo got $line; exit 7");
    const id = newId();
    const shell = (script: string) =>
      spawnSync("bash", ["-c", script, "bash", ...commandLine([])], {
        encoding: "utf8",
        env: { ...process.env, ...env },
      });
    const first = shell(
      `sleep 1000 | "$@" run --detach --bundle ${bundle.path} ${id} 2>&1 | cat & sleep 2; "$@" checkpoint --image-path ${images()} ${id} </dev/null; code=$?; kill $(jobs -p); pkill -P $$ sleep; exit $code`,
    );
    expect(first).toMatchObject({ status: 0, stderr: "" });
    const second = shell(
      `echo Ping | "$@" restore --image-path ${images()} --bundle ${bundle.path} ${id} 2>&1 | cat; exit \${PIPESTATUS[1]}`,
    );
    expect(second).toMatchObject({ status: 7, stdout: "got Ping\n" });
  });

  test("it fails with the last error of the log, and the container goes on", async () => {
    // Its streams are files of the host's.
    const id = newId();
    const bundle = makeBundle(COUNTING);
    succeed(["run", "--detach", "--bundle", bundle.path, id]);
    await countsOn(bundle, 3);
    const said = refused(["checkpoint", "--image-path", images(), "--work-path", images("work"), id], { env });
    expect(said).toContain("criu failed: type DUMP");
    expect(said).toContain(`(log file: ${images("work")}/dump.log): Error (`);
    expect(said.trim().split("\n")).toHaveLength(1);
    expect(state(id).status).toBe("running");
    await countsOn(bundle, count(bundle));
  });

  test("binds come back, at destinations that are symlinks, nested, with a slash at the end, and missing meanwhile", async () => {
    const places = ["/conf/", "/data", "/data/for/nested", "/tmpfs/under"];
    const { id, bundle } = start(COUNTING, (config, { path, rootfs }) => {
      mkdirSync(join(rootfs, "real/conf"), { recursive: true });
      symlinkSync("/real/conf", join(rootfs, "conf"));
      config.mounts.push({ destination: "/tmpfs", type: "tmpfs", source: "tmpfs" });
      places.forEach((destination, index) => {
        mkdirSync(join(path, `source-${index}`));
        writeFileSync(join(path, `source-${index}/file`), `${index}`);
        config.mounts.push({ destination, type: "bind", source: `source-${index}`, options: ["bind"] });
      });
    });
    await countsOn(bundle, 3);
    const seen = places.map((place) => `cat ${place}/file`).join("; ");
    expect(sh(id, seen).stdout).toBe("0123");
    checkpoint(id);
    rmSync(join(bundle.path, "source-1/for"), { recursive: true });
    restore({ id, bundle });
    expect(sh(id, seen).stdout).toBe("0123");
    expect(existsSync(join(bundle.rootfs, "tmpfs/under"))).toBe(false);
    await countsOn(bundle, count(bundle));
  });

  test("masked and read-only paths stay so", async () => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    const look = "cat /proc/kcore | wc -c; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/panic";
    const before = sh(id, look);
    checkpoint(id);
    restore({ id, bundle });
    expect(sh(id, look)).toEqual(before);
    expect(before).toMatchObject({ code: 1, stdout: "0\n0\n" });
  });

  test("hooks of the runtime's run with the new process, and those of the end at the end", async () => {
    const log = join(directory(), "hooks.log");
    const { id, bundle } = start(COUNTING, (config) => {
      const hook = (kind: string) => ({
        path: "/bin/sh",
        args: ["sh", "-c", `printf '${kind} ' >> ${log}; cat >> ${log}; echo >> ${log}`],
      });
      for (const kind of ["prestart", "createRuntime", "poststart", "poststop"] as const)
        config.hooks[kind] = [hook(kind)];
    });
    await countsOn(bundle, 3);
    rmSync(log);
    checkpoint(id);
    expect(readFileSync(log, "utf8")).toMatch(/^poststop /);
    rmSync(log);
    restore({ id, bundle });
    const lines = readFileSync(log, "utf8").trim().split("\n");
    expect(lines.map((line) => line.split(" ")[0])).toEqual(["prestart", "createRuntime"]);
    expect(JSON.parse((lines[0] as string).slice("prestart ".length))).toMatchObject({
      id,
      pid: state(id).pid,
      status: "creating",
    });
  });

  test("a hook that fails ends the restoration, and leaves nothing", async () => {
    const made = start();
    await countsOn(made.bundle, 3);
    checkpoint(made.id);
    made.bundle.config.hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", "echo bad luck >&2; exit 3"] }];
    writeFileSync(join(made.bundle.path, "config.json"), JSON.stringify(made.bundle.config));
    const said = refused(["restore", "--image-path", images(), "--bundle", made.bundle.path, made.id], { env });
    expect(said).toContain("createRuntime hook #0");
    expect(said).toContain("bad luck");
    expect(readdirSync(stateRoot())).toEqual([]);
  });

  test("into another cgroup, with its limits, where CRIU leaves cgroups alone", async () => {
    const parent = `tsrunc-checkpoint-${process.pid}`;
    // What stands above a container's cgroup is the caller's to remove; tests end when the containers are gone.
    onTestFinished(() => {
      for (const hierarchy of ["", ...readdirSync("/sys/fs/cgroup")]) {
        const path = join("/sys/fs/cgroup", hierarchy, parent);
        if (existsSync(path)) rmdirSync(path);
      }
    });
    const made = start(COUNTING, (config) => {
      config.linux.cgroupsPath = `/${parent}/first`;
    });
    await countsOn(made.bundle, 3);
    checkpoint(made.id, "--manage-cgroups-mode", "ignore");
    made.bundle.config.linux.cgroupsPath = `/${parent}/second`;
    made.bundle.config.linux.resources.pids = { limit: 7 };
    writeFileSync(join(made.bundle.path, "config.json"), JSON.stringify(made.bundle.config));
    restore(made, "--manage-cgroups-mode", "ignore");
    const { pid } = state(made.id);
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).toMatch(/tsrunc-checkpoint-\d+\/second$/m);
    expect(readFileSync(`/proc/${pid}/cgroup`, "utf8")).not.toContain("/first");
    expect(JSON.parse(succeed(["events", "--stats", made.id])).data.pids.limit).toBe(7);
    await countsOn(made.bundle, count(made.bundle));
  });

  test("a process's connections, files, lock, thread and timer go on, in the network namespace that it was given", async ({
    skip,
  }) => {
    if (!existsSync("/usr/bin/python3")) return skip("needs /usr/bin/python3");
    const netns = networkNamespace();
    try {
      const args = ["/usr/bin/python3", "/keeper.py", "/", ...(tcpCanBeDumped() ? [] : ["no-tcp"])];
      const made = start(args, (config, { rootfs }) => {
        copyFileSync("test/support/state-keeper.py", join(rootfs, "keeper.py"));
        for (const name of ["lib", "lib64"]) symlinkSync(`usr/${name}`, join(rootfs, name));
        config.mounts.push({ destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"] });
        config.process.capabilities?.effective?.push("CAP_NET_ADMIN");
        config.process.capabilities?.permitted?.push("CAP_NET_ADMIN");
        config.process.capabilities?.bounding?.push("CAP_NET_ADMIN");
        config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
        config.linux.namespaces.push({ type: "network", path: netns });
      });
      const inRootfs = (name: string) => join(made.bundle.rootfs, name);
      await until("the process to be ready", () => existsSync(inRootfs("ready")));
      const flags = ["--tcp-established", "--file-locks", "--link-remap"];
      checkpoint(made.id, ...flags);
      restore(made, "--tcp-established", "--file-locks");
      const inode = (path: string) => statSync(path).ino;
      expect(inode(`/proc/${state(made.id).pid}/ns/net`)).toBe(inode(netns));
      await pause(500);
      succeed(["kill", made.id, "USR1"]);
      await until("the report", () => existsSync(inRootfs("report")));
      const report = JSON.parse(readFileSync(inRootfs("report"), "utf8")) as Record<string, unknown>;
      expect(report).toMatchObject({
        ...{ tcp: "over TCP", unix: "over a socket", pipe: "through a pipe", back: "and back" },
        ...{ kept: "open", removed: "removed", locked: true, pid: 1 },
      });
      expect(report["ticks"]).toBeGreaterThan(3);
      expect(report["rounds"]).toBeGreaterThan(3);
    } finally {
      spawnSync("umount", [netns]);
    }
  });

  test("in a user namespace", async () => {
    const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
    const made = start(COUNTING, (config, { rootfs }) => {
      config.linux.namespaces.push({ type: "user" });
      Object.assign(config.linux, { uidMappings: map, gidMappings: map });
      spawnSync("chown", ["-R", "100000:100000", rootfs]);
    });
    await countsOn(made.bundle, 3);
    checkpoint(made.id);
    expect(statSync(images())).toMatchObject({ gid: 100_000, mode: 0o40710 });
    restore(made);
    await countsOn(made.bundle, count(made.bundle));
    expect(sh(made.id, "echo x > /dev/null; head -c 1 /dev/zero | wc -c; cat /proc/self/uid_map").stdout).toMatch(
      /^1\n +0 +100000 +1000\n$/,
    );
  });

  test("a namespace that has gone is named", async () => {
    const made = start();
    await countsOn(made.bundle, 3);
    checkpoint(made.id);
    const network = made.bundle.config.linux.namespaces.find(({ type }) => type === "network");
    Object.assign(network ?? {}, { path: "/run/nowhere" });
    writeFileSync(join(made.bundle.path, "config.json"), JSON.stringify(made.bundle.config));
    const said = refused(["restore", "--image-path", images(), "--bundle", made.bundle.path, made.id], { env });
    expect(said).toContain("/run/nowhere");
    expect(readdirSync(stateRoot())).toEqual([]);
  });

  test("a terminal's master comes through the console socket", async () => {
    const { id, bundle } = {
      id: newId(),
      bundle: makeBundle("read line; echo got $line > /got; sleep 1000", (config) =>
        Object.assign(config.process, { terminal: true }),
      ),
    };
    const console = (name: string, input: string[]) => {
      const path = join(directory(), name);
      spawn("python3", ["test/support/console-socket.py", path, `${path}.out`, ...input], { stdio: "ignore" });
      return path;
    };
    const first = console("first", []);
    await until("the socket", () => existsSync(first));
    quietly(["run", "--detach", "--console-socket", first, "--bundle", bundle.path, id]);
    checkpoint(id);
    const second = console("second", ["typed\n"]);
    await until("the socket", () => existsSync(second));
    restore({ id, bundle }, "--console-socket", second);
    await until("what was typed", () => existsSync(join(bundle.rootfs, "got")));
    expect(readFileSync(join(bundle.rootfs, "got"), "utf8")).toBe("got typed\n");
    expect(sh(id, "tty < /dev/console; test -t 0 < /proc/1/fd/0 && echo terminal").stdout).toContain("terminal");
  });

  test("memory first, then what has changed since", async ({ skip }) => {
    const { id, bundle } = start();
    await countsOn(bundle, 3);
    const args = ["checkpoint", "--pre-dump", "--image-path", images("first"), id];
    if (!hasFeature(env["PATH"] ?? "", "mem_dirty_track")) {
      expect(refused(args, { env })).toContain("--pre-dump is not possible here");
      expect(existsSync(images("first"))).toBe(false);
      return skip("the kernel does not track changed memory");
    }
    succeed(args, { env });
    expect(state(id).status).toBe("running");
    checkpoint(id, "--parent-path", "../first");
    expect(readlinkSync(join(images(), "parent"))).toBe("../first");
    restore({ id, bundle });
    await countsOn(bundle, count(bundle));
  });
});

describe.skipIf(criu.kind === "none")("the walk through of docs/checkpoint.md", () => {
  test("counts on", () => {
    const [, script = ""] = /^```sh .*\n([\s\S]*?)^```$/m.exec(readFileSync("docs/checkpoint.md", "utf8")) ?? [];
    const cwd = directory();
    const bin = join(cwd, "bin");
    mkdirSync(bin);
    const wrapper = `#!/bin/sh\nexec ${commandLine([]).join(" ")} "$@"\n`;
    writeFileSync(join(bin, "tsrunc"), wrapper, { mode: 0o755 });
    writeFileSync(join(bin, "sudo"), '#!/bin/sh\nexec "$@"\n', { mode: 0o755 });
    const bundle = makeBundle("true");
    renameSync(bundle.path, join(cwd, "box"));
    rmSync(join(cwd, "box/config.json"));
    const PATH = `${bin}:${env["PATH"]}`;
    const done = spawnSync("bash", ["-euc", script], { cwd, env: { ...process.env, PATH }, encoding: "utf8" });
    expect(done).toMatchObject({ status: 0, stderr: "" });
    const [before = 0, after = 0] = done.stdout.trim().split("\n").map(Number);
    expect(before).toBeGreaterThan(0);
    expect(after).toBeGreaterThan(before);
  });
});

/** Since Linux 6.16 a TCP socket has no SO_PASSCRED, which CRIU asks for until it knows better. */
function tcpCanBeDumped(): boolean {
  const script = "import socket; socket.socket().getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)";
  return spawnSync("/usr/bin/python3", ["-c", script]).status === 0;
}
