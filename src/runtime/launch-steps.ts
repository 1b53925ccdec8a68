/** Carries out what only a new container takes of its parent. */
import { delegateCgroup } from "../cgroup/delegate.ts";
import type { Resources } from "../config/types.ts";
import { type OpenHookOutput, openHookOutput } from "../hooks/output.ts";
import { runHooks } from "../hooks/run.ts";
import { containerHandlers } from "../init/container.ts";
import { runInit } from "../init/init.ts";
import type { HostFacts } from "../plan/host.ts";
import type { ParentContainerStep } from "../plan/parent-container.ts";
import { describeStep, type Plan } from "../plan/plan.ts";
import type { Handlers, OfKind } from "../plan/step.ts";
import { environmentRange } from "../sys/environment.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { writeIdMaps } from "../sys/id-maps.ts";
import { memoryFileOf } from "../sys/memory-file.ts";
import { join } from "../sys/path-names.ts";
import { prctl, processStat } from "../sys/process.ts";
import { setSignalMask } from "../sys/signal.ts";
import { warningOfStrays } from "./clear.ts";
import { Conversation, type Request } from "./conversation.ts";
import { admit, forkInit } from "./fork.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import type { Interruption } from "./interruption.ts";
import { closeMappings, type Mappings, openMapping, provideSource } from "./mount-sources.ts";
import { moveNetDevice } from "./net-devices.ts";
import { makeNotifyDirectory } from "./notify-socket.ts";
import { conversationOf, type ParentContext, pidfdOf, sharedHandlers } from "./parent-steps.ts";
import { type FilterSource, handListenerOn } from "./seccomp.ts";
import { stateDocument } from "./status.ts";
import { containerDirectory, makeStartFifo, prepareState, START_FIFO, saveConfig, saveContainer } from "./store.ts";

/** What the handlers share besides. */
export interface LaunchContext extends ParentContext {
  readonly plan: Plan;
  readonly resources: Resources;
  readonly host: HostFacts;
  /** Held while the container is made. */
  readonly lock: Fd;
  readonly seccompFilter: FilterSource | null;
  /** Whether the init is left waiting for `start` by another command. */
  readonly waits: boolean;
  readonly interruption: Interruption;
  /** What the init gets opened, or has this process open sources with. */
  readonly inherited: Mappings;
  hookOutput: OpenHookOutput | null;
  classOfService: ResctrlGroup | null;
  /** Makes it known that the container is complete. */
  publish: () => void;
}

export const launchHandlers: Handlers<ParentContainerStep, LaunchContext> = {
  ...sharedHandlers,
  "find-class-of-service": ({ plan }, context) => {
    context.classOfService = new ResctrlGroup(plan);
    const { removable } = context.classOfService;
    if (removable) context.container.resctrl = removable;
  },
  "write-state": (_, { context, container }) => saveContainer(context.root, container),
  "make-start-fifo": (_, { context, container }) => makeStartFifo(context.root, container.id),
  "make-notify-directory": (_, context) => makeNotifyDirectory(directoryOf(context)),
  "make-cgroups": ({ version }, { cgroup, resources, container }) => {
    cgroup.create(resources, version);
    container.cgroup = cgroup.location;
  },
  "delegate-cgroup": ({ directory, uid, optional }) => {
    try {
      delegateCgroup(directory, uid);
    } catch (error) {
      if (!optional || !hasErrno(error, "EPERM", "EINVAL", "ENOENT")) throw error;
    }
  },
  "open-hook-output": (_, context) => {
    context.hookOutput = openHookOutput(context.spec, context.container.bundle);
  },
  "id-mapping": ({ name, mapping }, { inherited }) => void openMapping(name, mapping, inherited),
  "fork-init": forkContainerInit,
  "write-id-maps": ({ maps }, context) => writeIdMaps(conversationOf(context).pid, maps, context.host.euid),
  "warn-of-strays": (_, { container, spec, context }) => {
    const warning = warningOfStrays(container, spec);
    if (warning !== null) context.log.warn(warning);
  },
  "move-net-device": (step, context) => moveNetDevice(step, conversationOf(context).pid),
  "restrict-devices": (_, { cgroup, resources, spec }) => {
    const { devices = [] } = spec.linux ?? {};
    cgroup.setResources({ ...(resources.devices && { devices: resources.devices }) }, { devices });
  },
  admit: (_, context) => {
    using cgroups = context.cgroup.openTasks();
    admit(conversationOf(context).channel, cgroups);
  },
  "make-class-of-service": (_, context) => context.classOfService?.create(conversationOf(context).pid),
  "keep-config": (_, { context, container, spec }) => saveConfig(context.root, container.id, spec),
  "note-init": (_, context) => {
    const { pid } = conversationOf(context);
    context.container.init = { pid, startTime: processStat(pid)?.startTime ?? 0 };
  },
  "prepare-complete": (_, context) => {
    context.container.complete = true;
    context.publish = prepareState(context.context.root, context.container);
  },
  "limit-resources": (_, { cgroup, resources }) => {
    cgroup.setResources(resources, { skipDevices: true });
    // The init has said something by now, so it is in there; and that the kernel killed it for its memory has been counted.
    cgroup.release();
  },
  "run-hooks": ({ hook, hooks }, context) => {
    const { container, hookOutput, interruption } = context;
    const around = {
      cwd: container.bundle,
      ...(hookOutput && { output: hookOutput }),
      interruption,
    };
    runHooks(hook, hooks, creating(context), around);
  },
  "hooks-done": (_, context) => conversationOf(context).channel.send({ type: "go" }),
  complete: (_, { publish }) => publish(),
};

function forkContainerInit({ namespaces }: OfKind<ParentContainerStep, "fork-init">, context: LaunchContext): void {
  const { log } = context.context;
  const { inherited, hookOutput, waits, seccompFilter, plan } = context;
  using startFifo = open(join(directoryOf(context), START_FIFO), O.RDWR);
  using entrance = context.cgroup.entrance();
  if (namespaces.undumpable) prctl("SET_DUMPABLE", 0);
  const callersEnvironment = environmentRange();
  const forked = forkInit(namespaces, entrance, (channel) => {
    context.lock.close();
    setSignalMask(context.interruption.maskBefore);
    return runInit(plan.init, containerHandlers, {
      channel,
      inherited,
      callersEnvironment,
      startFifo,
      waits,
      trace: log.tracing,
      seccompFilter: seccompFilter?.atHand ?? null,
      ...(hookOutput && { hookOutput }),
    });
  });
  context.conversation = new Conversation(forked, context.console, log, context.interruption, "init");
  entrance.settle(forked.pid);
  closeMappings(inherited);
}

/** Does what the init asks for. @throws {Error} that names the source */
export function answerInit(request: Request, context: LaunchContext): void {
  const { pid, channel } = conversationOf(context);
  if (request.type === "listener") {
    handListenerOn(context.spec, creating(context), { pid, pidfd: pidfdOf(context), listener: request.fd });
    return channel.send({ type: "heard" });
  }
  if (request.type === "filter") {
    using filter = memoryFileOf("filter", context.seccompFilter?.take() ?? new Uint8Array());
    return channel.send({ type: "filter" }, [filter.number]);
  }
  const step = context.plan.sources.find(({ name }) => name === request.name);
  if (step === undefined || step.kind === "id-mapping") {
    throw new Error(`the init asked for an unknown source ${request.name}`);
  }
  if (context.context.log.tracing) context.context.log.debug(`parent: ${describeStep(step)}`);
  try {
    using source = provideSource(step, pid, context.inherited);
    channel.send({ type: "source" }, [source.number]);
  } catch (error) {
    throw new Error(`${describeStep(step)}: ${(error as Error).message}`);
  }
}

/** The state that hooks and listeners are told while the container is made. */
function creating(context: LaunchContext) {
  return { ...stateDocument(context.container, "creating"), pid: conversationOf(context).pid };
}

function directoryOf({ context, container }: LaunchContext): string {
  return containerDirectory(context.root, container.id);
}
