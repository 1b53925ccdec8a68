import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Process } from "../../src/config/types.ts";
import { Driver, type DriverResult, runCommand } from "../support/driver.ts";
import { rootHost } from "../support/host.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import type { StartRequest } from "./start-process.driver.ts";

const impossible = whyNotPrivileged();
const BIN = "PATH=/usr/bin:/bin";

describe.skipIf(impossible !== null)(`a process started by an init${impossible ? ` (${impossible})` : ""}`, () => {
  let driver: Driver;
  let directory: string;
  beforeAll(() => {
    driver = new Driver("test/init/start-process.driver.ts");
    directory = mkdtempSync(join(tmpdir(), "process-"));
    chmodSync(directory, 0o755);
  });
  afterAll(() => {
    driver[Symbol.dispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  function start(process: Partial<Process>, rest: Omit<StartRequest, "process"> = {}): DriverResult {
    return driver.run(JSON.stringify({ process: { cwd: "/", env: [BIN], args: ["true"], ...process }, ...rest }));
  }

  /** The fields of the started process's `/proc/self/status`. */
  function status(process: Partial<Process>, rest?: Omit<StartRequest, "process">): Record<string, string> {
    const { stdout, stderr } = start({ ...process, args: ["cat", "/proc/self/status"] }, rest);
    expect(stdout, stderr).not.toBe("");
    return Object.fromEntries(stdout.split("\n").map((line) => line.split(":\t", 2) as [string, string]));
  }

  describe("user", () => {
    it("has the uid, gid and groups asked for, and no others", () => {
      const fields = status({ user: { uid: 65534, gid: 7, additionalGids: [5, 6] } });
      expect(fields).toMatchObject({ Uid: "65534\t65534\t65534\t65534", Gid: "7\t7\t7\t7", Groups: "5 6 " });
    });

    it("has no supplementary groups when none are asked for", () => {
      expect(status({ user: { uid: 1, gid: 1 } })["Groups"]?.trim()).toBe("");
    });

    it("has the umask asked for", () => {
      expect(status({ user: { uid: 0, gid: 0, umask: 0o77 } })["Umask"]).toBe("0077");
      expect(status({})["Umask"]).toBe("0022");
    });

    it("names an id that its user namespace does not map", () => {
      const command = [
        "unshare",
        "--user",
        "--map-root-user",
        ...driver.command(
          JSON.stringify({
            process: { cwd: "/", env: [BIN], args: ["true"], user: { uid: 5, gid: 0 } },
            input: {
              host: { ...rootHost, euid: 1000, inUserNamespace: true },
            },
          }),
        ),
      ];
      const { stderr, status } = runCommand(command);
      expect(stderr).toContain("cannot setuid to unmapped uid 5 in user namespace");
      expect(status).toBe(1);
    });

    it("goes without setgroups where the user namespace denies it", () => {
      const request = {
        process: { cwd: "/", env: [BIN], args: ["true"], user: { uid: 0, gid: 0, additionalGids: [5] } },
      };
      const command = ["unshare", "--user", "--map-root-user", ...driver.command(JSON.stringify(request))];
      expect(runCommand(command)).toMatchObject({ stderr: "", status: 0 });
    });
  });

  describe("capabilities", () => {
    const KILL = "0000000000000020";

    it("has exactly the five sets asked for", () => {
      const sets = {
        bounding: ["CAP_KILL", "CAP_CHOWN"],
        effective: ["CAP_KILL"],
        permitted: ["CAP_KILL"],
        inheritable: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      };
      expect(status({ user: { uid: 1, gid: 1 }, capabilities: sets })).toMatchObject({
        CapInh: KILL,
        CapPrm: KILL,
        CapEff: KILL,
        CapBnd: "0000000000000021",
        CapAmb: KILL,
      });
    });

    it.each([{ capabilities: {} }, {}])("has none when all sets are empty, even as root: %j", (given) => {
      const none = "0000000000000000";
      const fields = status(given);
      expect(fields).toMatchObject({ CapInh: none, CapPrm: none, CapEff: none, CapBnd: none, CapAmb: none });
    });

    it("warns of an ambient capability that cannot be had, and goes on", () => {
      const sets = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: [], ambient: ["CAP_KILL"] };
      const { stderr, status } = start({ capabilities: sets });
      expect(stderr).toMatch(/^can't raise ambient capability CAP_KILL: /);
      expect(status).toBe(0);
    });

    it("warns of several that cannot be had in one line", () => {
      const sets = { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], ambient: ["CAP_KILL", "CAP_CHOWN", "CAP_MKNOD"] };
      const { stderr } = start({ capabilities: sets });
      expect(stderr).toMatch(/^can't raise ambient capability CAP_KILL: .* \(nor CAP_CHOWN, CAP_MKNOD\)\n$/);
    });

    it("grants what it has itself, and warns of the rest", () => {
      const capabilities = {
        bounding: ["CAP_KILL", "CAP_MKNOD"],
        effective: ["CAP_KILL", "CAP_CHOWN"],
        permitted: ["CAP_KILL", "CAP_CHOWN"],
      };
      const args = ["grep", "^Cap", "/proc/self/status"];
      const request = JSON.stringify({ process: { cwd: "/", env: [BIN], args, capabilities } });
      const lacking = ["setpriv", "--bounding-set", "-chown,-mknod"];
      const { stdout, stderr, status } = runCommand([...lacking, ...driver.command(request)]);
      expect(stderr).toBe("can't grant capabilities that tsrunc itself has not: CAP_MKNOD, CAP_CHOWN\n");
      expect(stdout).toMatch(new RegExp(`CapPrm:\\s${KILL}\nCapEff:\\s${KILL}\nCapBnd:\\s${KILL}`));
      expect(status).toBe(0);
    });

    it("fails when the sets contradict each other", () => {
      const { stderr, status } = start({ capabilities: { bounding: ["CAP_KILL"], effective: ["CAP_KILL"] } });
      expect(stderr).toContain("capset: EPERM");
      expect(status).toBe(1);
    });

    it("names unknown ones when what is left contradicts itself", () => {
      const { stderr, status } = start({
        capabilities: { bounding: ["CAP_UNKNOWN"], permitted: [], effective: ["CAP_KILL"] },
      });
      expect(stderr).toMatch(/capset: EPERM.*\(ignoring unknown or unavailable capabilities: \[CAP_UNKNOWN\]\)\n$/);
      expect(status).toBe(1);
    });

    it("warns of unknown ones, and goes on", () => {
      const { stderr, status } = start({ capabilities: { bounding: ["CAP_UNKNOWN"] } });
      expect(stderr).toBe("ignoring unknown or unavailable capabilities: [CAP_UNKNOWN]\n");
      expect(status).toBe(0);
    });

    it("has no_new_privs only if asked for", () => {
      expect(status({ noNewPrivileges: true })["NoNewPrivs"]).toBe("1");
      expect(status({ noNewPrivileges: false })["NoNewPrivs"]).toBe("0");
    });
  });

  describe("environment", () => {
    const env = (process: Partial<Process>, rest?: Omit<StartRequest, "process">) =>
      start({ ...process, args: ["/usr/bin/env"] }, rest)
        .stdout.trim()
        .split("\n");

    it("is what is asked for, each name once, and HOME by the container's /etc/passwd", () => {
      expect(env({ env: ["A=1", "A=2", "HOME="] })).toEqual(["A=2", "HOME=/root"]);
    });

    it("has HOME=/ for a user that has no entry", () => {
      expect(env({ env: [], user: { uid: 4242, gid: 0 } })).toEqual(["HOME=/"]);
    });

    it("keeps nothing of the runtime's own", () => {
      expect(env({ env: ["HOME=/x"] })).toEqual(["HOME=/x"]);
    });

    it("announces the descriptors of socket activation to this very process", () => {
      const { stdout } = start(
        { env: [BIN, "HOME=/"], args: ["sh", "-c", 'echo "$LISTEN_FDS $((LISTEN_PID - $$))"'] },
        { input: { listenFds: 2 } },
      );
      expect(stdout).toBe("2 0\n");
    });
  });

  describe("working directory", () => {
    it("is made when it is missing", () => {
      const cwd = join(directory, "new/directory");
      expect(start({ cwd, args: ["pwd"] }).stdout).toBe(`${cwd}\n`);
    });

    it("may be one that only root can enter", () => {
      const cwd = join(directory, "roots");
      mkdirSync(cwd, { mode: 0o700 });
      expect(start({ cwd, args: ["true"], user: { uid: 65534, gid: 65534 } })).toMatchObject({ status: 0, stderr: "" });
    });

    it("may be one that root, without its capabilities, cannot enter but the user can", () => {
      const cwd = join(directory, "users");
      mkdirSync(cwd, { mode: 0o700 });
      chownSync(cwd, 65534, 65534);
      const request = { process: { cwd, env: [BIN], args: ["pwd"], user: { uid: 65534, gid: 65534 } } };
      const powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];
      const { stdout, stderr } = runCommand([...powerless, ...driver.command(JSON.stringify(request))]);
      expect(stdout, stderr).toBe(`${cwd}\n`);
    });

    it("may not lie outside the container's root, by whatever way it leads there", () => {
      const mountPoint = join(directory, "detached");
      mkdirSync(mountPoint);
      const process = { cwd: "/proc/self/fd/3", env: [BIN], args: ["ls"] };
      // The one descriptor of the host's that a container can have: one that the caller passes to it.
      const request = { process, input: { passedFds: 1 } };
      const shell = 'mount -t tmpfs t "$0" && exec 3<"$0" && umount -l "$0" && "$@"';
      const command = [
        "unshare",
        "--mount",
        "bash",
        "-c",
        shell,
        mountPoint,
        ...driver.command(JSON.stringify(request)),
      ];
      const { stdout, stderr } = runCommand(command);
      expect(stderr).toContain("current working directory is outside of container mount namespace root");
      expect(stdout).toBe("");
    });

    it("is named when it is none", () => {
      const { stderr, status } = start({ cwd: "/etc/passwd" });
      expect(stderr).toBe('chdir to cwd ("/etc/passwd") set in config.json failed: ENOTDIR: not a directory\n');
      expect(status).toBe(1);
    });
  });

  describe("limits", () => {
    it("has them exactly, also such as the runtime itself could not run under", () => {
      const rlimits = [
        { type: "RLIMIT_AS", soft: 67108864, hard: 67108864 },
        { type: "RLIMIT_DATA", soft: 1000000, hard: 1000000 },
        { type: "RLIMIT_STACK", soft: 1000000, hard: 2000000 },
        { type: "RLIMIT_FSIZE", soft: 0, hard: 0 },
        { type: "RLIMIT_NOFILE", soft: 10, hard: 20 },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ];
      const { stdout } = start({ args: ["cat", "/proc/self/limits"], rlimits });
      for (const [name, soft, hard] of [
        ["Max address space", 67108864, 67108864],
        ["Max data size", 1000000, 1000000],
        ["Max stack size", 1000000, 2000000],
        ["Max file size", 0, 0],
        ["Max open files", 10, 20],
        ["Max core file size", 0, 0],
      ]) {
        expect(stdout).toMatch(new RegExp(`^${name} +${soft} +${hard} `, "m"));
      }
    });

    it("inherits the caller's soft limit of open files, not the engine's", () => {
      const { stdout } = start({ args: ["sh", "-c", "ulimit -Sn; ulimit -Hn"] }, { input: { softNofile: 123 } });
      expect(stdout).toMatch(/^123\n/);
      expect(stdout).not.toBe("123\n123\n");
    });

    it("fails before the process starts when the soft limit is above the hard one", () => {
      const { stderr, stdout } = start({
        args: ["echo", "ran"],
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 5, hard: 3 }],
      });
      expect(stderr).toContain("error setting rlimit type");
      expect(stdout).toBe("");
    });

    it("has the oom_score_adj asked for", () => {
      expect(start({ args: ["cat", "/proc/self/oom_score_adj"], oomScoreAdj: 321 }).stdout).toBe("321\n");
    });
  });

  describe("scheduling", () => {
    it("has the policy, nice value and I/O priority asked for", () => {
      const scheduler = { policy: "SCHED_BATCH", nice: 5 };
      const ioPriority = { class: "IOPRIO_CLASS_BE" as const, priority: 6 };
      const script = "chrt -p $$; nice; ionice -p $$";
      const { stdout } = start({ args: ["sh", "-c", script], scheduler, ioPriority });
      expect(stdout).toContain("SCHED_BATCH");
      expect(stdout).toMatch(/^5$/m);
      expect(stdout).toContain("best-effort: prio 6");
    });

    it("does not inherit the CPUs that the caller is bound to", () => {
      const cpus = (command: string[]) => /Cpus_allowed_list:\t(.*)/.exec(runCommand(command).stdout)?.[1];
      const request = JSON.stringify({ process: { cwd: "/", env: [BIN], args: ["cat", "/proc/self/status"] } });
      const free = cpus(["cat", "/proc/self/status"]);
      expect(cpus(["taskset", "-c", "0", ...driver.command(request)])).toBe(free);
    });

    it("runs another process on its final CPUs", () => {
      const affinity = { execCPUAffinity: { initial: "0", final: "0" } };
      expect(status(affinity, { input: { purpose: "exec" } })["Cpus_allowed_list"]).toBe("0");
    });

    it("has the memory policy asked for", () => {
      const linux = { memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0" } };
      const { stdout, stderr } = start({ args: ["head", "-n1", "/proc/self/numa_maps"] }, { spec: { linux } });
      if (stderr.includes("ENOSYS") || stderr.includes("numa_maps")) return; // a kernel without NUMA
      expect(stdout, stderr).toContain("interleave:0");
    });

    it("has the personality asked for", () => {
      const linux = { personality: { domain: "LINUX32" as const } };
      const { stdout } = start({ args: ["uname", "-m"] }, { spec: { linux } });
      expect(["i686", "armv8l"]).toContain(stdout.trim());
    });
  });

  describe("signals and descriptors", () => {
    it("has every signal at its default and none blocked", () => {
      const none = "0000000000000000";
      expect(status({})).toMatchObject({ SigBlk: none, SigIgn: none, SigCgt: none });
    });

    it("has its standard streams and nothing else open", () => {
      expect(start({ args: ["sh", "-c", "ls /proc/$$/fd; true"] }).stdout).toBe("0\n1\n2\n");
    });

    it("keeps the descriptors passed on", () => {
      const request = {
        process: { cwd: "/", env: [BIN], args: ["sh", "-c", "cat <&3; cat <&4"] },
        input: { passedFds: 2 },
      };
      const shell = '"$@" 3<<<three 4<<<four';
      const { stdout } = runCommand(["bash", "-c", shell, "bash", ...driver.command(JSON.stringify(request))]);
      expect(stdout).toBe("three\nfour\n");
    });

    it("owns its standard streams, but not /dev/null", () => {
      const owners = ["sh", "-c", "stat -Lc %u /proc/self/fd/0 /proc/self/fd/1"];
      const request = { process: { cwd: "/", env: [BIN], args: owners, user: { uid: 65534, gid: 65534 } } };
      const shell = '"$@" </dev/null';
      const { stdout } = runCommand(["bash", "-c", shell, "bash", ...driver.command(JSON.stringify(request))]);
      expect(stdout).toBe("0\n65534\n");
    });

    it("leads a session of its own", () => {
      const { stdout } = start({ args: ["sh", "-c", "cut -d' ' -f6 /proc/$$/stat; echo $$"] });
      const [session, pid] = stdout.trim().split("\n");
      expect(session).toBe(pid);
    });
  });

  it.skipIf(!existsSync("/proc/keys"))("has a session keyring of its own, unless told otherwise", () => {
    const keys = (id: string, noNewKeyring: boolean) =>
      start({ args: ["cat", "/proc/keys"] }, { input: { noNewKeyring, id } }).stdout;
    expect(keys("own", false)).toMatch(/ 3f1b0000 .* _ses\.own: /);
    expect(keys("callers", true)).not.toContain("_ses.callers");
  });

  it.skipIf(existsSync("/sys/kernel/security/apparmor"))("says so when there is no AppArmor to confine it", () => {
    expect(start({ apparmorProfile: "profile" }).stderr).toMatch(/^apparmor failed to apply profile: /);
  });

  describe("executable", () => {
    const failure = (args: string[], process: Partial<Process> = {}) => start({ ...process, args }).stderr.trim();

    it("is found by PATH as the user sees it", () => {
      const bin = join(directory, "bin");
      mkdirSync(bin, { mode: 0o700 });
      writeFileSync(join(bin, "hidden"), "#!/bin/sh\n", { mode: 0o755 });
      const user = { uid: 65534, gid: 65534 };
      const message = 'exec: "hidden": executable file not found in $PATH';
      expect(failure(["hidden"], { env: [`PATH=${bin}`], user })).toBe(message);
      expect(failure(["hidden"], { env: [`PATH=${bin}`] })).toBe("");
    });

    it.each([
      ["nope", 'exec: "nope": executable file not found in $PATH'],
      ["", 'exec: "": executable file not found in $PATH'],
      ["/nope", 'exec: "/nope": stat /nope: no such file or directory'],
      ["/etc/passwd/x", 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory'],
      ["/etc", 'exec: "/etc": permission denied (a directory)'],
      ["/etc/passwd", 'exec: "/etc/passwd": permission denied'],
    ])("%j fails in the words that engines know", (name, message) => expect(failure([name])).toBe(message));

    it("is not found without PATH", () => {
      expect(failure(["ls"], { env: [] })).toBe('exec: "ls": executable file not found in $PATH');
    });

    it("is not taken from the working directory by an empty element of PATH", () => {
      const message = 'exec: "ls": cannot run executable found relative to current directory';
      expect(failure(["ls"], { env: ["PATH=:/bin"], cwd: "/usr/bin" })).toBe(message);
    });

    it("fails in runc's words when the kernel refuses it", () => {
      writeFileSync(join(directory, "script"), "#!/no/interpreter\n", { mode: 0o755 });
      writeFileSync(join(directory, "garbage"), "garbage\n", { mode: 0o755 });
      expect(failure([join(directory, "script")])).toBe(`exec ${directory}/script: no such file or directory`);
      expect(failure([join(directory, "garbage")])).toMatch(/garbage: exec format error/);
    });
  });

  describe("the container's names and parameters", () => {
    it("are set in its own namespaces", () => {
      const spec = {
        hostname: "box",
        domainname: "example.org",
        linux: { sysctl: { "kernel.shm_rmid_forced": "1", "net.ipv4.ip_forward": "1" } },
      };
      const script =
        "uname -n; cat /proc/sys/kernel/domainname /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward";
      const { stdout, stderr } = start({ args: ["sh", "-c", script] }, { spec, namespaces: ["uts", "ipc", "network"] });
      expect(stdout, stderr).toBe("box\nexample.org\n1\n1\n");
    });

    it("are named when they cannot be set", () => {
      const spec = { linux: { sysctl: { "net.ipv4.nope": "1" } } };
      const { stderr } = start({}, { spec, namespaces: ["network"] });
      expect(stderr).toContain("/proc/sys/net/ipv4/nope: ENOENT");
    });
  });
});
