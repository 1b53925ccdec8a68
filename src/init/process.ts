/** Carries out the steps that make this process the user's. */
import type { ProcessStep } from "../plan/process.ts";
import type { Handlers, OfKind } from "../plan/step.ts";
import { hasErrno, SyscallError } from "../sys/error.ts";
import { FIRST_FD, setCloseOnExec } from "../sys/fd.ts";
import { addKeyPermissions, joinSessionKeyring, KEY_SEARCH } from "../sys/keyring.ts";
import { mkdirAllInRoot } from "../sys/path.ts";
import { prctl } from "../sys/process.ts";
import {
  resetAffinity,
  setAffinity,
  setIoPriority,
  setMemoryPolicy,
  setPersonality,
  setScheduling,
} from "../sys/scheduler.ts";
import { resetSignalHandlers, setSignalMask } from "../sys/signal.ts";
import { setDomainname, setGid, setHostname, setsid, setUid, setUmask } from "../sys/user.ts";
import { applyCapabilities, dropBoundingSet } from "./capabilities.ts";
import type { InitContext } from "./context.ts";
import { closeDescriptors } from "./descriptors.ts";
import { execute, findExecutable } from "./execute.ts";
import { confineByAppArmor, setSelinuxLabel } from "./labels.ts";
import { writeSysctl } from "./procfs.ts";
import { rootOf } from "./root.ts";
import { changeDirectory, homeOf, ownStdio, setSupplementaryGroups, verifyDirectory } from "./user.ts";

export const processHandlers: Handlers<ProcessStep, InitContext> = {
  "set-affinity": ({ cpus }) => setAffinity(0, cpus),
  "reset-affinity": (_, { channel }) => {
    try {
      resetAffinity(0);
    } catch (error) {
      channel.send({
        type: "warning",
        message: `the container may keep the caller's CPU affinity: ${(error as Error).message}`,
      });
    }
  },
  warn: ({ message }, { channel }) => channel.send({ type: "warning", message }),
  "new-session": () => setsid(),
  "join-keyring": ({ name, search }, context) => joinKeyring(name, search, context),
  "make-working-directory": ({ path }, context) => makeWorkingDirectory(path, context),
  "set-hostname": ({ name }) => setHostname(name),
  "set-domainname": ({ name }) => setDomainname(name),
  "write-sysctl": ({ path, value }) => writeSysctl(path, value),
  "apparmor-profile": ({ profile, noNewPrivileges }) =>
    confineByAppArmor(profile, noNewPrivileges || prctl("GET_NO_NEW_PRIVS") === 1),
  "selinux-label": ({ label }) => setSelinuxLabel("exec", label),
  "selinux-key-label": ({ label }) => setSelinuxLabel("keycreate", label),
  umask: ({ mask }) => setUmask(mask),
  "no-new-privileges": () => void prctl("SET_NO_NEW_PRIVS", 1),
  scheduler: (step) => schedule(step),
  "io-priority": (step) => setIoPriority(step.class, step.priority),
  personality: ({ domain }) => setPersonality(domain),
  "memory-policy": ({ mode, flags, nodes }) => setMemoryPolicy(mode, flags, nodes),
  "keep-passed-descriptors": ({ passed }, { channel, startFifo, hookOutput }) =>
    closeDescriptors(passed, [channel.fd, startFifo, hookOutput?.stdout, hookOutput?.stderr]),
  "change-directory": ({ path, retry }, context) => changeDirectory(path, retry, context),
  "verify-directory": () => verifyDirectory(),
  "set-environment": ({ variables, listenFds }, context) => {
    context.environment = [...variables];
    if (listenFds > 0) context.environment.push(`LISTEN_FDS=${listenFds}`, `LISTEN_PID=${context.pid}`);
  },
  "set-home": ({ uid }, { environment }) => void environment.push(`HOME=${homeOf(uid)}`),
  "drop-bounding": ({ capabilities }) => dropBoundingSet(capabilities),
  "keep-capabilities": ({ keep }) => void prctl("SET_KEEPCAPS", keep ? 1 : 0),
  "own-stdio": ({ uid }) => ownStdio(uid),
  "set-groups": ({ gids }) => setSupplementaryGroups(gids),
  "set-gid": ({ gid }) => setGid(gid),
  "set-uid": ({ uid }) => setUid(uid),
  "set-capabilities": (step, context) => applyCapabilities(step, context),
  "find-executable": ({ name, path }, context) => {
    context.executable = findExecutable(name, path);
  },
  "reset-signals": () => {
    resetSignalHandlers();
    setSignalMask();
  },
  "close-descriptors": ({ passed }, { endingSignals, hookOutput }) => {
    // Nothing else is open but the fifo. The execve closes that, and so tells `start`, which waits for it.
    for (const fd of [endingSignals, hookOutput?.stdout, hookOutput?.stderr]) fd?.close();
    // Not before the hooks have run: they are not theirs.
    for (let fd = FIRST_FD; fd < FIRST_FD + passed; fd++) setCloseOnExec(fd, false);
  },
  execute: ({ args, limits }, context) => execute(args, limits, context),
};

function schedule(step: OfKind<ProcessStep, "scheduler">): void {
  try {
    setScheduling(step);
  } catch (error) {
    throw hasErrno(error, "EPERM") ? schedulingRefused(error as Error, step) : error;
  }
}

/**
 * A deadline is only admitted for a process that may run on every CPU, and a policy for real time on cgroup v1 only where the cgroup has been given
 * time for it.
 * @see sched(7), "SCHED_DEADLINE"; linux/Documentation/scheduler/sched-rt-group.rst
 */
function schedulingRefused(error: Error, { policy, cpuset }: OfKind<ProcessStep, "scheduler">): Error {
  const { message } = error;
  switch (policy) {
    case "SCHED_DEADLINE":
      return cpuset ? new Error(`process scheduler can't be used together with AllowedCPUs: ${message}`) : error;
    case "SCHED_FIFO":
    case "SCHED_RR":
      return new Error(
        `${message} (it takes CAP_SYS_NICE and, on cgroup v1, /linux/resources/cpu/realtimeRuntime for the container and its parents)`,
      );
    default:
      return error;
  }
}

/**
 * Makes the directory inside the root: a path through `/proc/self/fd` would lead to what the caller has open on the host
 * (CVE-2024-21626). What is no directory, or no plain way to one, is left to the change to it, whose error says so.
 */
function makeWorkingDirectory(path: string, context: InitContext): void {
  try {
    mkdirAllInRoot(rootOf(context), path).close();
  } catch (error) {
    if (!hasErrno(error, "EEXIST", "ENOTDIR", "ELOOP", "EACCES")) throw error;
  }
}

/** A kernel without keyrings, or a container manager that hides them, is no reason to fail. */
function joinKeyring(name: string, search: "user" | "other" | null, { channel }: InitContext): void {
  try {
    const keyring = joinSessionKeyring(name);
    if (search !== null) addKeyPermissions(keyring, KEY_SEARCH[search]);
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === "ENOSYS")) throw error;
    channel.send({ type: "warning", message: error.message });
  }
}
