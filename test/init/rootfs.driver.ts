/**
 * Plans and mounts a container's root filesystem and runs a shell script in it: a program for the tests, since forking
 * needs a process of one thread.
 *
 * Takes one argument: {@link RootfsRequest} as JSON. A failed step comes out on stderr, as in the runtime's own errors.
 */
import { writeFileSync } from "node:fs";
import { detectCgroupMounts } from "../../src/cgroup/layout.ts";
import type { IdMapping, Spec } from "../../src/config/types.ts";
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import type { InitContext } from "../../src/init/context.ts";
import { rootfsHandlers } from "../../src/init/rootfs.ts";
import { describeRootfs, planRootfs, type RootfsStep, type SourceStep } from "../../src/plan/rootfs.ts";
import { openMapping, provideSource } from "../../src/runtime/mount-sources.ts";
import type { Fd } from "../../src/sys/fd.ts";
import { syscall } from "../../src/sys/ffi.ts";
import { namespaceFlags } from "../../src/sys/namespace.ts";
import { execve, exit, exitCode, fork, waitPid } from "../../src/sys/process.ts";
import { socketpair } from "../../src/sys/socket.ts";
import { rootHost } from "../support/host.ts";

export interface RootfsRequest {
  bundle: string;
  rootfs: string;
  spec: Spec;
  /** For busybox's shell, in the container. */
  script: string;
  noPivot?: boolean;
}

function main(): number {
  const request = JSON.parse(process.argv[2] as string) as RootfsRequest;
  const { spec } = request;
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  const userNamespace = types.includes("user");
  const cgroupMounts = detectCgroupMounts();
  const plan = planRootfs({
    spec,
    bundle: request.bundle,
    rootfsPath: request.rootfs,
    host: { ...rootHost, cgroupMounts },
    noPivot: request.noPivot ?? false,
    userNamespace,
    cgroups: [],
  });
  const inherited = new Map<string, Fd>();
  for (const step of plan.sources) {
    if (step.kind === "id-mapping") openMapping(step.name, step.mapping, inherited);
  }
  const [ours, theirs] = socketpair();
  const pid = fork({ flags: BigInt(namespaceFlags(types)) });
  if (pid === 0) {
    ours.close();
    const channel = new Channel<InitMessage, ParentMessage>(theirs);
    channel.receive();
    if (userNamespace) {
      syscall("setresgid", 0, 0, 0);
      syscall("setresuid", 0, 0, 0);
    }
    act([...plan.beforeHooks, ...plan.afterHooks, ...plan.final], {
      channel,
      inherited,
      mounts: new Map(),
      rootfs: null,
    } as never);
    exit(execve("/bin/busybox", ["sh", "-c", request.script], ["PATH=/bin"]));
  }
  theirs.close();
  if (userNamespace) {
    writeFileSync(`/proc/${pid}/uid_map`, mapText(spec.linux?.uidMappings ?? []));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(spec.linux?.gidMappings ?? []));
  }
  serve(new Channel<ParentMessage, InitMessage>(ours), pid, plan.sources);
  return exitCode(waitPid(pid));
}

function act(steps: readonly RootfsStep[], context: InitContext): void {
  for (const step of steps) {
    try {
      (rootfsHandlers as Record<string, (step: RootfsStep, context: InitContext) => void>)[step.kind]?.(step, context);
    } catch (error) {
      const describe = describeRootfs as unknown as Record<string, (step: RootfsStep) => string>;
      process.stderr.write(`${describe[step.kind]?.(step)}: ${(error as Error).message}\n`);
      exit(1);
    }
  }
}

/** Gives the init what it asks for, until it becomes another program. */
function serve(channel: Channel<ParentMessage, InitMessage>, pid: number, sources: readonly SourceStep[]): void {
  channel.send({ type: "go" });
  for (;;) {
    const message = channel.receive()?.message;
    if (message?.type === "warning") {
      process.stderr.write(`warning: ${message.message}\n`);
      continue;
    }
    if (message?.type !== "source") return;
    const step = sources.find(({ name }) => name === message.name);
    if (step === undefined || step.kind === "id-mapping") throw new Error(`no source ${message.name}`);
    using source = provideSource(step, pid, new Map());
    channel.send({ type: "source" }, [source.number]);
  }
}

function mapText(maps: readonly IdMapping[]): string {
  return maps.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

process.exitCode = main();
