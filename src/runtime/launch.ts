/** Makes a container: everything up to the moment at which its init waits for `start`. */

import { findMissingNamespaces } from "../config/validate/host.ts";
import { describeParentContainer } from "../plan/parent-container.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, Reserve } from "../sys/fd.ts";
import { claimContainer } from "./claim.ts";
import { clearAfterFailure } from "./clear.ts";
import { checkTerminal, connectReceivers, connectTo } from "./console-socket.ts";
import type { Interruption } from "./interruption.ts";
import { answerInit, type LaunchContext, launchHandlers } from "./launch-steps.ts";
import { closeMappings } from "./mount-sources.ts";
import { reasonOfInit } from "./oom-reason.ts";
import type { Context, CreateOptions } from "./options.ts";
import { carryOut, conversationOf, pidfdOf } from "./parent-steps.ts";
import { checkPidFile } from "./pid-file.ts";
import type { Prepared } from "./prepare.ts";
import { seccompFilter } from "./seccomp.ts";
import type { Container } from "./store.ts";

/** A container whose init waits for `start`. */
export interface Launched {
  container: Container;
  pid: number;
  pidfd: Fd;
  /** The master of the init's terminal, unless it went to `--console-socket`. */
  master: Fd | null;
  /** Held until this is closed: no other command works on the container meanwhile. */
  lock: Fd;
}

/** How the caller stays connected to the init. */
export interface LaunchOptions extends CreateOptions {
  detach: boolean;
  /** Whether the init is left waiting for `start` by another command. */
  waits: boolean;
  /** Requests to end meanwhile, which make the start fail. */
  interruption: Interruption;
}

/** How many descriptors clearing takes at once: directories in each other, and files in them. */
const CLEARING = 4;

/**
 * Makes the container. Should anything fail, all that was made is cleared again.
 * @throws {Error} that names the step that failed
 */
export function launch(context: Context, prepared: Prepared, options: LaunchOptions): Launched {
  const { container, spec, plan } = prepared;
  const { terminal = false } = prepared.process;
  checkTerminal({ terminal, detach: options.detach, consoleSocket: options.consoleSocket });
  if (options.pidFile) checkPidFile(options.pidFile);
  using console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  using sockets = connectReceivers(plan.parent);
  using filter = seccompFilter(context, spec);
  using forClearing = new Reserve(CLEARING);
  const { cgroup, lock } = claimContainer(context.root, container, () => forClearing.release());
  const shared: LaunchContext = {
    ...prepared,
    ...{ context, cgroup, console, lock, sockets, purpose: "init", seccompFilter: filter, waits: options.waits },
    interruption: options.interruption,
    inherited: new Map(),
    ...{ conversation: null, pidfd: null, hookOutput: null, classOfService: null, publish: () => {} },
    answer: (request) => answerInit(request, shared),
  };
  try {
    carryOut(plan.parent, launchHandlers, describeParentContainer, shared);
    const { pid, master } = conversationOf(shared);
    const request = options.interruption.received();
    if (request !== null) throw conversationOf(shared).abandon(new Error(request));
    return { container, pid, pidfd: pidfdOf(shared), master, lock };
  } catch (error) {
    forClearing.release();
    const reason = reasonOf(error as Error, shared);
    cgroup.release();
    const left = clearAfterFailure(context, container, spec);
    lock.close();
    throw left === null ? reason : new Error(`${reason.message}; ${left}`);
  } finally {
    shared.hookOutput?.[Symbol.dispose]();
    closeMappings(shared.inherited);
  }
}

function reasonOf(error: Error, { spec, cgroup }: LaunchContext): Error {
  // What clone3(2) says of a kind of namespace that the kernel was built without.
  const missing = hasErrno(error, "EINVAL") ? findMissingNamespaces(spec)[0] : undefined;
  if (missing !== undefined) return missing;
  return reasonOfInit(error, cgroup);
}
