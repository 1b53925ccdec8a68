/** Filters that ask an agent, and filters that deny what the runtime itself does behind them: a container starts, or says why not; nothing hangs. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findLibseccomp } from "../../src/sys/libseccomp.ts";
import type { TestSpec } from "../support/config.ts";
import { withWrongSockets } from "../support/wrong-sockets.ts";
import {
  type Bundle,
  directory,
  hasProgram,
  makeBundle,
  newId,
  output,
  refused,
  run,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

const missing = findLibseccomp() === null ? "needs libseccomp2" : !hasProgram("python3") ? "needs python3" : null;

/** What the agent got of a process. */
interface Heard {
  message: {
    ociVersion: string;
    fds: string[];
    pid: number;
    metadata?: string;
    state: { id: string; status: string; pid: number; bundle: string };
  };
  descriptors: number;
  rest: number;
}

/** Starts an agent, see seccomp-agent.py. @returns its socket, and what it has heard so far */
async function startAgent(answer: string): Promise<{ path: string; heard: () => Heard[] }> {
  const [path, file] = [join(directory(), "agent"), join(directory(), "heard")];
  const agent = spawn("python3", ["test/support/seccomp-agent.py", path, file, answer], {
    stdio: "ignore",
    detached: true,
  });
  agents.push(agent.pid ?? 0);
  await until("the agent listens", () => existsSync(path));
  const heard = (): Heard[] =>
    existsSync(file)
      ? readFileSync(file, "utf8")
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Heard)
      : [];
  return { path, heard };
}

const agents: number[] = [];

/** Ends the agents of a test, with the processes that they have forked. */
function endAgents(): void {
  for (const pid of agents.splice(0)) process.kill(-pid, "SIGKILL");
}

const notifying =
  (listenerPath: string, names: string[], noNewPrivileges = true, further: object = {}) =>
  (config: TestSpec): void => {
    config.process.noNewPrivileges = noNewPrivileges;
    const syscalls = [{ names, action: "SCMP_ACT_NOTIFY" }];
    config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath, syscalls, ...further };
  };

const denying =
  (names: string[], action: string, noNewPrivileges = true) =>
  (config: TestSpec): void => {
    config.process.noNewPrivileges = noNewPrivileges;
    config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names, action }] };
  };

describe.skipIf(missing !== null)(`SCMP_ACT_NOTIFY${missing === null ? "" : ` (${missing})`}`, () => {
  test.each([true, false])("the agent gets the descriptor and the process's state; no_new_privs: %s", async (flag) => {
    const { path, heard } = await startAgent("28");
    const bundle = makeBundle(
      "mkdir /tmp/x 2>&1; true",
      notifying(path, ["mkdir", "mkdirat"], flag, { listenerMetadata: "our word" }),
    );
    const id = newId();
    const { code, stdout, stderr } = tsrunc(["run", "--bundle", bundle.path, id]);
    endAgents();
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: expect.stringContaining("No space left") });
    expect(heard()).toEqual([
      {
        message: {
          ociVersion: expect.stringMatching(/^1\./),
          fds: ["seccompFd"],
          pid: expect.any(Number),
          metadata: "our word",
          state: expect.objectContaining({ id, status: "creating", bundle: bundle.path }),
        },
        descriptors: 1,
        rest: 0,
      },
    ]);
    const { message } = heard()[0] as Heard;
    expect(message.pid).toBe(message.state.pid);
  });

  const OWN = ["sendmsg", "recvmsg", "recvfrom", "openat", "read", "close", "fcntl", "execve", "close_range", "prctl"];

  test.each([true, false])("calls that the runtime itself makes may be asked about; no_new_privs: %s", async (flag) => {
    const { path, heard } = await startAgent("continue");
    const edit = notifying(path, OWN, flag);
    expect(run("echo started", edit)).toEqual({ code: 0, stdout: "started\n", stderr: "" });
    endAgents();
    expect(heard()).toHaveLength(1);
  });

  test("each process of an exec has a listener of its own, with the state as it is then", async () => {
    const { path, heard } = await startAgent("28");
    const id = startDetached("sleep 1000", notifying(path, ["mkdir", "mkdirat"]));
    const { stderr } = tsrunc(["exec", id, "mkdir", "/tmp/x"]);
    const first = state(id).pid;
    succeed(["delete", "--force", id]);
    endAgents();
    expect(stderr).toContain("No space left");
    expect(heard().map(({ message }) => [message.state.status, message.state.pid])).toEqual([
      ["creating", first],
      ["running", first],
    ]);
    expect(heard()[1]?.message.pid).not.toBe(first);
  });

  test("an agent that lets go of the descriptor leaves ENOSYS behind", async () => {
    const { path } = await startAgent("close");
    const { stdout } = run("mkdir /tmp/x 2>&1; true", notifying(path, ["mkdir", "mkdirat"]));
    endAgents();
    expect(stdout).toContain("not implemented");
  });

  test("a startContainer hook and the program have no descriptor more", async () => {
    const { path } = await startAgent("continue");
    const edit = (config: TestSpec) => {
      notifying(path, ["mkdir"])(config);
      config.hooks = { startContainer: [{ path: "/bin/sh", args: ["sh", "-c", "ls /proc/self/fd > /fds"] }] };
    };
    const { stdout } = run("cat /fds; ls /proc/self/fd", edit);
    endAgents();
    expect(stdout).toBe("0\n1\n2\n3\n0\n1\n2\n3\n");
  });

  test("that nobody listens fails create, by the path, and leaves nothing", () => {
    const id = newId();
    const path = join(directory(), "nobody");
    const { path: bundle } = makeBundle("true", notifying(path, ["mkdir"]));
    expect(refused(["create", "--bundle", bundle, id])).toMatch(
      /\/linux\/seccomp\/listenerPath: failed to connect with seccomp agent: .*nobody/,
    );
    expect(succeed(["list", "-q"])).toBe("");
  });

  test.each(["datagram", "packet", "file"])(
    "that it is a %s fails create, by the path, and leaves nothing",
    async (name) => {
      await withWrongSockets(directory(), () => {
        const { path: bundle } = makeBundle("true", notifying(join(directory(), name), ["mkdir"]));
        const error = refused(["create", "--bundle", bundle, newId()]);
        expect(error).toMatch(
          new RegExp(`/linux/seccomp/listenerPath: failed to connect with seccomp agent: .*/${name}`),
        );
        expect(error.trim().split("\n")).toHaveLength(1);
        expect(succeed(["list", "-q"])).toBe("");
      });
    },
  );

  test.each([
    [["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], 40],
    [[], 8],
    [undefined, 12],
    [["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"], 10],
  ])("a filter that notifies is loaded with the flags %j", async (flags, bits) => {
    const { path } = await startAgent("continue");
    const { path: bundle } = makeBundle("true", notifying(path, ["mkdir"], true, flags && { flags }));
    const { code, stderr } = tsrunc(["run", "--bundle", bundle, newId()], { global: ["--debug"] });
    endAgents();
    expect(code).toBe(0);
    expect(stderr).toContain(`seccomp filter flags: ${bits}`);
  });
});

describe.skipIf(findLibseccomp() === null)("a filter that denies what the runtime does itself", () => {
  const SOCKETS = ["socket", "connect", "sendmsg", "sendto", "recvmsg", "recvfrom", "sendmmsg", "recvmmsg"];
  // What the runtime needs behind the filter, with no_new_privs, is read, write, close, rt_sigaction, rt_sigprocmask and execve.
  const OTHERS = ["close_range", "fcntl", "openat2", "signalfd4", "setns", "unshare", "getdents64", "pidfd_open"];

  test.each(["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"])("does not keep a container from starting: %s", (action) => {
    const edit = denying([...SOCKETS, ...OTHERS], action);
    expect(output("echo run", edit)).toBe("run");
    const id = newId();
    const file = join(directory(), "made");
    const bundle: Bundle = makeBundle(["touch", "/out/made"], (config) => {
      edit(config);
      config.mounts.push({ destination: "/out", type: "bind", source: directory(), options: ["bind"] });
    });
    succeed(["create", "--bundle", bundle.path, id]);
    succeed(["start", id]);
    return until("the program has run", () => existsSync(file));
  });

  test("nor ppoll, with an errno", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("sleep 1000", denying(["ppoll"], "SCMP_ACT_ERRNO")).path, id]);
    succeed(["start", id]);
    expect(state(id).status).toBe("running");
  });

  test.each([
    ["SCMP_ACT_ERRNO", true],
    ["SCMP_ACT_ERRNO", false],
    ["SCMP_ACT_KILL_PROCESS", true],
    ["SCMP_ACT_KILL", false],
    ["SCMP_ACT_TRAP", true],
  ])("execve by %s: start ends at once, and the container can be deleted; no_new_privs: %s", async (action, flag) => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true", denying(["execve"], action, flag)).path, id]);
    tsrunc(["start", id]);
    await until("it has stopped", () => state(id).status === "stopped");
    succeed(["delete", id]);
    expect(succeed(["list", "-q"])).toBe("");
  });
});
