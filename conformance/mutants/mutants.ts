/**
 * Ways to break a good runtime. Each stands for a fault that a runtime might have; a suite that does not see it checks nothing there.
 *
 * A mutant changes what the runtime is told (the configuration, the arguments), or what it answers (output, exit code).
 */
import { chownSync } from "node:fs";
import type { MountEntry, Spec } from "../harness/spec.ts";

/** An answer of the runtime. */
export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Mutant {
  /** What is broken. */
  fault: string;
  /** Where a check is expected to see it: parts of the paths of its files. */
  where: string[];
  /** Changes config.json for `create` and `run`. */
  config?: (spec: Spec) => void;
  /** Changes the arguments, from the command on. */
  args?: (args: string[]) => string[];
  /** Changes what the runtime answers to a command. */
  answer?: (answer: Answer, args: readonly string[]) => Answer;
  /** Does something beside the command, before it. */
  before?: (args: readonly string[]) => void;
  /** Whether the runtime is not called at all: an answer that pretends. */
  pretends?: (args: readonly string[]) => Answer | null;
}

const OK: Answer = { code: 0, stdout: "", stderr: "" };

/** Changes the mount of the cgroup filesystem, or leaves it out, where there is one. */
function cgroupMount(change: (mount: MountEntry) => MountEntry | null): (spec: Spec) => void {
  return (spec) => {
    spec.mounts = spec.mounts?.flatMap((mount) => (mount.type === "cgroup" ? (change(mount) ?? []) : [mount]));
  };
}

/** Changes the configuration's process, where it has one. */
function process(change: (process: NonNullable<Spec["process"]>) => void): (spec: Spec) => void {
  return (spec) => {
    if (spec.process) change(spec.process);
  };
}

function linux(change: (linux: NonNullable<Spec["linux"]>) => void): (spec: Spec) => void {
  return (spec) => {
    if (spec.linux) change(spec.linux);
  };
}

/** Takes an option out of every mount. */
function withoutOption(...options: string[]): (spec: Spec) => void {
  return (spec) => {
    for (const mount of spec.mounts ?? [])
      mount.options = mount.options?.filter((option) => !options.includes(option)) ?? [];
  };
}

/** Takes a kind of hook out. */
function withoutHook(kind: keyof NonNullable<Spec["hooks"]>): (spec: Spec) => void {
  return (spec) => {
    if (spec.hooks) delete spec.hooks[kind];
  };
}

/** An error of a command ends with 0. */
function errorsEndWithZero(command: string): Mutant["answer"] {
  return (answer, args) => (args[0] === command ? { ...answer, code: 0 } : answer);
}

/** Changes what `state` prints. */
function state(change: (state: Record<string, unknown>) => void): Mutant["answer"] {
  return (answer, args) => {
    if (args[0] !== "state" || answer.code !== 0) return answer;
    const printed = JSON.parse(answer.stdout);
    change(printed);
    return { ...answer, stdout: JSON.stringify(printed) };
  };
}

/** Takes an option and its value out of the arguments. */
function withoutArgument(name: string): Mutant["args"] {
  return (args) => {
    const at = args.indexOf(name);
    return at < 0 ? args : [...args.slice(0, at), ...args.slice(at + 2)];
  };
}

export const mutants: Readonly<Record<string, Mutant>> = {
  "state-without-pid": { fault: "state has no pid", where: ["runtime/state"], answer: state((it) => delete it["pid"]) },
  "state-pid-one-off": {
    fault: "state has another process's pid",
    where: ["runtime/state", "cli/"],
    answer: state((it) => {
      it["pid"] = 1;
    }),
  },
  "state-always-running": {
    fault: "every container is `running`",
    where: ["runtime/state"],
    answer: state((it) => {
      it["status"] = "running";
    }),
  },
  "state-never-stopped": {
    fault: "a stopped container is shown as running",
    where: ["runtime/state"],
    answer: state((it) => {
      if (it["status"] === "stopped") it["status"] = "running";
    }),
  },
  "state-relative-bundle": {
    fault: "state has a relative bundle",
    where: ["runtime/state"],
    answer: state((it) => {
      it["bundle"] = ".";
    }),
  },
  "state-without-annotations": {
    fault: "state loses the annotations",
    where: ["runtime/state"],
    answer: state((it) => delete it["annotations"]),
  },
  "state-without-version": {
    fault: "state has no ociVersion",
    where: ["runtime/state"],
    answer: state((it) => delete it["ociVersion"]),
  },
  "state-other-id": {
    fault: "state has another id",
    where: ["runtime/state"],
    answer: state((it) => {
      it["id"] = "other";
    }),
  },
  "state-no-json": {
    fault: "state is no JSON",
    where: ["runtime/state"],
    answer: (answer, [name]) => (name === "state" ? { ...answer, stdout: "running\n" } : answer),
  },
  "state-errors-end-with-zero": {
    fault: "state of no container succeeds",
    where: ["runtime/state"],
    answer: errorsEndWithZero("state"),
  },
  "create-errors-end-with-zero": {
    fault: "a failed create ends with 0",
    where: ["runtime/create"],
    answer: errorsEndWithZero("create"),
  },
  "start-errors-end-with-zero": {
    fault: "a failed start ends with 0",
    where: ["runtime/start"],
    answer: errorsEndWithZero("start"),
  },
  "kill-errors-end-with-zero": {
    fault: "a failed kill ends with 0",
    where: ["runtime/kill"],
    answer: errorsEndWithZero("kill"),
  },
  "delete-errors-end-with-zero": {
    fault: "a failed delete ends with 0",
    where: ["runtime/delete"],
    answer: errorsEndWithZero("delete"),
  },
  "silent-errors": {
    fault: "errors say nothing",
    where: ["runtime/create"],
    answer: (answer) => ({ ...answer, stderr: "", stdout: answer.code === 0 ? answer.stdout : "" }),
  },
  "kill-does-nothing": {
    fault: "kill sends no signal",
    where: ["runtime/kill"],
    pretends: ([name]) => (name === "kill" ? OK : null),
  },
  "kill-always-term": {
    fault: "kill sends SIGTERM whatever was asked for",
    where: ["runtime/kill"],
    args: (args) =>
      args[0] === "kill" && args.length > 2 && !/KILL/.test(args[2] ?? "") ? ["kill", args[1] ?? "", "TERM"] : args,
  },
  "delete-does-nothing": {
    fault: "delete leaves the container",
    where: ["runtime/delete"],
    pretends: (args) => (args[0] === "delete" && !args.includes("--force") ? OK : null),
  },
  "delete-always-forces": {
    fault: "delete kills what runs",
    where: ["runtime/delete"],
    args: (args) => (args[0] === "delete" ? ["delete", "--force", ...args.slice(1)] : args),
  },
  "start-does-nothing": {
    fault: "start does not run the program",
    where: ["runtime/start"],
    pretends: ([name]) => (name === "start" ? OK : null),
  },
  "create-starts": {
    fault: "create runs the program at once",
    where: ["runtime/create"],
    args: (args) => (args[0] === "create" ? ["run", "--detach", ...args.slice(1)] : args),
  },
  "run-ends-with-zero": { fault: "run loses the exit code", where: ["cli/"], answer: errorsEndWithZero("run") },
  "exec-ends-with-zero": { fault: "exec loses the exit code", where: ["cli/"], answer: errorsEndWithZero("exec") },
  "no-pid-file": { fault: "--pid-file is ignored", where: ["cli/"], args: withoutArgument("--pid-file") },
  "no-preserved-fds": { fault: "--preserve-fds is ignored", where: ["cli/"], args: withoutArgument("--preserve-fds") },
  "leaked-descriptor": {
    fault: "a descriptor of the caller reaches the container",
    where: ["config/process"],
    args: (args) => (args[0] === "run" ? ["run", "--preserve-fds", "1", ...args.slice(1)] : args),
  },
  "exec-loses-user": { fault: "exec ignores --user", where: ["cli/"], args: withoutArgument("--user") },
  "exec-loses-cwd": { fault: "exec ignores --cwd", where: ["cli/"], args: withoutArgument("--cwd") },
  "exec-loses-env": { fault: "exec ignores --env", where: ["cli/"], args: withoutArgument("--env") },
  "exec-loses-capability": { fault: "exec ignores --cap", where: ["cli/"], args: withoutArgument("--cap") },
  "loses-hostname": {
    fault: "the hostname is not set",
    where: ["config/process"],
    config: (spec) => delete spec.hostname,
  },
  "loses-domainname": {
    fault: "the domainname is not set",
    where: ["config/process"],
    config: (spec) => delete spec.domainname,
  },
  "loses-cwd": {
    fault: "the working directory is /",
    where: ["config/process"],
    config: process((it) => {
      if (it.cwd?.startsWith("/")) it.cwd = "/";
    }),
  },
  "loses-environment": {
    fault: "variables are lost, but PATH",
    where: ["config/process"],
    config: process((it) => {
      it.env = it.env?.filter((each) => each.startsWith("PATH=")) ?? [];
    }),
  },
  "extra-variable": {
    fault: "a variable that nobody asked for",
    where: ["config/process"],
    config: process((it) => it.env?.push("EXTRA=1")),
  },
  "loses-uid": {
    fault: "the program is always root",
    where: ["config/process"],
    config: process((it) => {
      if (it.user && it.user.uid > 0) it.user.uid = 0;
    }),
  },
  "loses-gid": {
    fault: "the program's group is always 0",
    where: ["config/process"],
    config: process((it) => {
      if (it.user) it.user.gid = 0;
    }),
  },
  "loses-additional-gids": {
    fault: "additional groups are lost",
    where: ["config/process"],
    config: process((it) => delete it.user?.additionalGids),
  },
  "extra-group": {
    fault: "a group that nobody asked for",
    where: ["config/process"],
    config: process((it) => {
      if (it.user) it.user.additionalGids = [...(it.user.additionalGids ?? []), 10];
    }),
  },
  "loses-umask": {
    fault: "the umask is not set",
    where: ["config/process"],
    config: process((it) => delete it.user?.umask),
  },
  "loses-rlimits": {
    fault: "resource limits are not set",
    where: ["config/process"],
    config: process((it) => delete it.rlimits),
  },
  "soft-rlimit-is-hard": {
    fault: "soft limits become the hard ones",
    where: ["config/process"],
    config: process((it) => {
      for (const limit of it.rlimits ?? []) limit.soft = limit.hard;
    }),
  },
  "keeps-capabilities": {
    fault: "a capability is kept that was not given",
    where: ["config/process"],
    config: process((it) => {
      for (const set of Object.values(it.capabilities ?? {})) set.push("CAP_NET_BIND_SERVICE");
    }),
  },
  "no-ambient": {
    fault: "ambient capabilities are not set",
    where: ["config/process"],
    config: process((it) => delete it.capabilities?.ambient),
  },
  "no-inheritable": {
    fault: "inheritable capabilities are not set",
    where: ["config/process"],
    config: process((it) => {
      delete it.capabilities?.inheritable;
      delete it.capabilities?.ambient;
    }),
  },
  "loses-no-new-privileges": {
    fault: "noNewPrivileges is not set",
    where: ["config/process"],
    config: process((it) => {
      it.noNewPrivileges = false;
    }),
  },
  "loses-oom-score": {
    fault: "oomScoreAdj is not set",
    where: ["config/process"],
    config: process((it) => delete it["oomScoreAdj"]),
  },
  "loses-io-priority": {
    fault: "ioPriority is not set",
    where: ["config/process"],
    config: process((it) => delete it["ioPriority"]),
  },
  "loses-scheduler": {
    fault: "the scheduler is not set",
    where: ["config/process"],
    config: process((it) => delete it["scheduler"]),
  },
  "writable-root": {
    fault: "root.readonly is ignored",
    where: ["config/mounts"],
    config: (spec) => {
      if (spec.root) spec.root.readonly = false;
    },
  },
  "readonly-root": {
    fault: "the root is always read-only",
    where: ["config/mounts"],
    config: (spec) => {
      if (spec.root && spec.root.path === "rootfs") spec.root.readonly = true;
    },
  },
  "loses-last-mount": {
    fault: "the last mount is not made",
    where: ["config/mounts"],
    config: (spec) => void ((spec.mounts?.length ?? 0) > 5 && spec.mounts?.pop()),
  },
  "mounts-in-reverse": {
    fault: "mounts below each other are made in the wrong order",
    where: ["config/mounts"],
    config: (spec) => {
      const extra = spec.mounts?.splice(5) ?? [];
      spec.mounts?.push(...extra.reverse());
    },
  },
  "mount-ignores-ro": { fault: "the option ro is lost", where: ["config/mount-options"], config: withoutOption("ro") },
  "mount-ignores-nosuid": {
    fault: "the option nosuid is lost",
    where: ["config/mount-options"],
    config: withoutOption("nosuid"),
  },
  "mount-ignores-nodev": {
    fault: "the option nodev is lost",
    where: ["config/mount-options"],
    config: withoutOption("nodev"),
  },
  "mount-ignores-noexec": {
    fault: "the option noexec is lost",
    where: ["config/mount-options"],
    config: withoutOption("noexec"),
  },
  "mount-ignores-propagation": {
    fault: "propagation is lost",
    where: ["config/mount-options"],
    config: withoutOption("shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
  },
  "mount-ignores-recursive": {
    fault: "recursive options are lost",
    where: ["config/mount-options"],
    config: withoutOption("rro", "rnosuid", "rnoexec", "rnoatime"),
  },
  "mount-loses-data": {
    fault: "options of the filesystem are lost",
    where: ["config/mount-options"],
    config: withoutOption("size=64k", "mode=1700", "nr_inodes=99"),
  },
  "rbind-is-bind": {
    fault: "rbind is bind",
    where: ["config/mount-options"],
    config: (spec) => {
      for (const mount of spec.mounts ?? [])
        mount.options = mount.options?.map((option) => (option === "rbind" ? "bind" : option)) ?? [];
    },
  },
  "no-prestart": { fault: "prestart hooks are not called", where: ["config/hooks"], config: withoutHook("prestart") },
  "no-create-runtime": {
    fault: "createRuntime hooks are not called",
    where: ["config/hooks"],
    config: withoutHook("createRuntime"),
  },
  "no-create-container": {
    fault: "createContainer hooks are not called",
    where: ["config/hooks"],
    config: withoutHook("createContainer"),
  },
  "no-start-container": {
    fault: "startContainer hooks are not called",
    where: ["config/hooks"],
    config: withoutHook("startContainer"),
  },
  "no-poststart": {
    fault: "poststart hooks are not called",
    where: ["config/hooks"],
    config: withoutHook("poststart"),
  },
  "no-poststop": { fault: "poststop hooks are not called", where: ["config/hooks"], config: withoutHook("poststop") },
  "hooks-in-reverse": {
    fault: "hooks are called last one first",
    where: ["config/hooks"],
    config: (spec) => {
      for (const list of Object.values(spec.hooks ?? {})) list.reverse();
    },
  },
  "hook-at-the-wrong-time": {
    fault: "startContainer hooks run as createContainer hooks",
    where: ["config/hooks"],
    config: (spec) => {
      if (spec.hooks?.startContainer) {
        spec.hooks.createContainer = [...(spec.hooks.createContainer ?? []), ...spec.hooks.startContainer];
        delete spec.hooks.startContainer;
      }
    },
  },
  "hook-without-environment": {
    fault: "hooks lose their environment",
    where: ["config/hooks"],
    config: (spec) => {
      for (const list of Object.values(spec.hooks ?? {}))
        for (const hook of list) hook.env = hook.env?.filter((each) => !each.startsWith("OWN=")) ?? [];
    },
  },
  "hook-without-timeout": {
    fault: "a hook's timeout is ignored",
    where: ["config/hooks"],
    config: (spec) => {
      for (const list of Object.values(spec.hooks ?? {}))
        for (const hook of list) if (hook.timeout !== 0) delete hook.timeout;
    },
  },
  ...Object.fromEntries(
    ["pid", "network", "ipc", "uts", "cgroup"].map((type) => [
      `shares-${type}`,
      {
        fault: `a ${type} namespace is not made`,
        where: ["config-linux/namespaces"],
        config: (spec: Spec) => {
          if (spec.linux)
            spec.linux.namespaces = spec.linux.namespaces?.filter((each) => each.type !== type || each.path) ?? [];
          if (type === "uts") delete spec.hostname;
          if (type === "network") spec.mounts = spec.mounts?.filter((mount) => mount.type !== "sysfs") ?? [];
        },
      } satisfies Mutant,
    ]),
  ),
  "new-instead-of-joined": {
    fault: "a namespace by path is a new one",
    where: ["config-linux/namespaces"],
    config: linux((it) => {
      for (const each of it.namespaces ?? []) if (each.path?.startsWith("/proc/")) delete each.path;
    }),
  },
  "loses-devices": {
    fault: "devices are not made",
    where: ["config-linux/devices"],
    config: linux((it) => delete it.devices),
  },
  "device-default-mode": {
    fault: "a device's mode and owner are lost",
    where: ["config-linux/devices"],
    config: linux((it) => {
      for (const each of it.devices ?? []) {
        delete each["fileMode"];
        delete each["uid"];
        delete each["gid"];
      }
    }),
  },
  "allows-all-devices": {
    fault: "device rules are not applied",
    where: ["config-linux/devices"],
    config: linux((it) => {
      if (it.resources) it.resources["devices"] = [{ allow: true, access: "rwm" }];
    }),
  },
  "device-rules-in-reverse": {
    fault: "device rules are applied last one first",
    where: ["config-linux/devices"],
    config: linux((it) => it.resources?.["devices"]?.reverse()),
  },
  "loses-masked-paths": {
    fault: "paths are not masked",
    where: ["config-linux/protection"],
    config: linux((it) => delete it.maskedPaths),
  },
  "loses-readonly-paths": {
    fault: "paths are not read-only",
    where: ["config-linux/protection"],
    config: linux((it) => delete it.readonlyPaths),
  },
  "loses-sysctl": {
    fault: "sysctls are not set",
    where: ["config-linux/protection"],
    config: linux((it) => delete it.sysctl),
  },
  "loses-root-propagation": {
    fault: "rootfsPropagation is not set",
    where: ["config-linux/protection"],
    config: linux((it) => delete it.rootfsPropagation),
  },
  "loses-memory-limit": {
    fault: "memory limits are not set",
    where: ["config-linux/cgroups"],
    config: linux((it) => delete it.resources?.["memory"]),
  },
  "loses-cpu-limit": {
    fault: "CPU limits are not set",
    where: ["config-linux/cgroups"],
    config: linux((it) => delete it.resources?.["cpu"]),
  },
  "loses-pids-limit": {
    fault: "the pids limit is not set",
    where: ["config-linux/cgroups"],
    config: linux((it) => delete it.resources?.["pids"]),
  },
  "loses-cgroups-path": {
    fault: "cgroupsPath is ignored",
    where: ["config-linux/cgroups"],
    config: linux((it) => delete it.cgroupsPath),
  },
  "one-mapping": {
    fault: "only the first id mapping is written",
    where: ["config-linux/namespaces"],
    config: linux((it) => {
      const maps = it["uidMappings"] as unknown[] | undefined;
      if (maps) it["uidMappings"] = maps.slice(0, 1);
    }),
  },
  "keeps-cgroup": {
    fault: "a container's cgroup is not given to its user",
    where: ["config-linux/cgroup-ownership"],
    config: cgroupMount(() => null),
  },
  "gives-cgroup-away": {
    fault: "a cgroup that the container only reads is given to its user",
    where: ["config-linux/cgroup-ownership"],
    config: cgroupMount((mount) => ({ ...mount, options: ["rw"] })),
  },
  "gives-device-away": {
    fault: "the machine's /dev/null is given to the container's user",
    where: ["config-linux/namespaces"],
    before: (args) => {
      if (args[0] === "create" || args[0] === "run") chownSync("/dev/null", 100000, 100000);
    },
  },
};
