/**
 * Starts a process as a container's init would, on this machine's own root directory: a program for the tests, since
 * forking needs a process of one thread, which vitest's is not.
 *
 * Takes one argument: {@link StartRequest} as JSON. Warnings and errors come out on stderr, one a line.
 */
import type { NamespaceType, Process, Spec } from "../../src/config/types.ts";
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import type { InitContext } from "../../src/init/context.ts";
import { processHandlers } from "../../src/init/process.ts";
import { planAffinity } from "../../src/plan/affinity.ts";
import { planHostProcess } from "../../src/plan/host-process.ts";
import {
  type ProcessInput,
  type ProcessStep,
  planProcess,
  planSession,
  planSystem,
  planWorkingDirectory,
} from "../../src/plan/process.ts";
import { hostProcessHandlers } from "../../src/runtime/process-limits.ts";
import { O, open } from "../../src/sys/fd.ts";
import { syscall } from "../../src/sys/ffi.ts";
import { unshare } from "../../src/sys/namespace.ts";
import { exit, exitCode, fork, waitPid } from "../../src/sys/process.ts";
import { socketpair } from "../../src/sys/socket.ts";
import { rootHost } from "../support/host.ts";

export interface StartRequest {
  process: Process;
  /** The rest of the configuration. */
  spec?: Partial<Spec>;
  /** Namespaces of its own. */
  namespaces?: NamespaceType[];
  input?: Partial<ProcessInput>;
}

function main(): number {
  const request = JSON.parse(process.argv[2] as string) as StartRequest;
  const input: ProcessInput = {
    purpose: "init",
    id: `test-${process.pid}`,
    process: request.process,
    spec: { ociVersion: "1.3.0", process: request.process, ...request.spec },
    host: rootHost,
    noNewKeyring: true,
    passedFds: 0,
    listenFds: 0,
    softNofile: null,
    ...request.input,
  };
  const { attributes, identity, last } = planProcess(input);
  const steps = [
    ...planSession(input),
    ...planWorkingDirectory(input),
    ...planSystem(input),
    ...planAffinity(input).own,
    ...attributes,
    ...identity,
    ...last,
  ];
  const host = planHostProcess(input);
  const [parentEnd, childEnd] = socketpair();
  const pid = fork();
  if (pid === 0) {
    parentEnd.close();
    child(steps, new Channel<InitMessage, ParentMessage>(childEnd), request.namespaces ?? []);
  }
  childEnd.close();
  const channel = new Channel<ParentMessage, InitMessage>(parentEnd);
  try {
    for (const step of host) hostProcessHandlers[step.kind](step as never, pid);
    channel.send({ type: "go" });
  } catch (error) {
    console.error((error as Error).message);
    channel.close();
    return exitCode(waitPid(pid));
  }
  for (let received = channel.receive(); received !== null; received = channel.receive()) {
    const { message } = received;
    if (message.type === "warning" || message.type === "error") console.error(message.message);
  }
  return exitCode(waitPid(pid));
}

function child(steps: ProcessStep[], channel: Channel<InitMessage, ParentMessage>, namespaces: NamespaceType[]): never {
  const context: InitContext = {
    channel,
    rootfs: open("/", O.PATH | O.DIRECTORY),
    inherited: new Map(),
    mounts: new Map(),
    environment: [],
    executable: null,
    seccompFilter: null,
    startFifo: null,
    waits: false,
    callersEnvironment: { start: 0n, end: 0n },
    trace: false,
    ready: false,
    started: false,
    pid: syscall("getpid"),
  };
  try {
    if (channel.receive() === null) exit(1);
    if (namespaces.length > 0) unshare(namespaces);
    for (const step of steps) {
      const handler = processHandlers[step.kind] as (step: ProcessStep, context: InitContext) => void;
      handler(step, context);
    }
  } catch (error) {
    channel.send({ type: "error", message: (error as Error).message });
  }
  exit(1);
}

process.exitCode = main();
