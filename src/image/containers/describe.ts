/** Containers as listings and `inspect` show them. */
import { imageOfBundle } from "../bundle/marker.ts";
import type { Store } from "../store/store.ts";
import { type DamagedContainer, isDamaged } from "./damaged.ts";
import { listAll } from "./find.ts";
import { isAlive } from "./process.ts";
import { type Container, containerPath, type Published } from "./record.ts";
import { listInRuntime } from "./runtime.ts";
import { type Current, currentStatus, isRunning, type Status } from "./status.ts";

/** A container, as programs read it. */
export interface ListedContainer {
  id: string;
  name: string;
  image: string;
  command: string[];
  /** RFC 3339; `null` for what has not happened, or nobody saw. */
  created: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  status: Status | "damaged";
  /** 0 for one that does not run. */
  pid: number;
  exitCode: number | null;
  /** Why it could not be started; what is damaged. */
  error: string | null;
  ports: string[];
  volumes: { name: string; destination: string }[];
}

export function describeContainers(store: Store): ListedContainer[] {
  const statusOf = statusesInRuntime();
  return listAll(store).map((container) =>
    isDamaged(container)
      ? describeDamaged(store, container)
      : describe(
          container,
          currentStatus(store, container, () => statusOf(store, container)),
        ),
  );
}

/** What the runtime says of containers: asked once for all, as each question is a process. */
function statusesInRuntime(): (store: Store, container: Container) => string | undefined {
  const places = new Map<string, Map<string, string>>();
  return (store, { id, root }) => {
    const known =
      places.get(root) ?? new Map((listInRuntime(root) ?? []).map(({ bundle, status }) => [bundle, status]));
    places.set(root, known);
    return known.get(containerPath(store, id, "bundle"));
  };
}

/** What is left to know of one that is damaged. */
function describeDamaged(store: Store, { id, name, why, container, state }: DamagedContainer): ListedContainer {
  return {
    id,
    name,
    image: container?.image ?? imageOfBundle(containerPath(store, id, "bundle")) ?? "",
    command: container?.args ?? [],
    created: container?.created ?? null,
    startedAt: state !== null && "startedAt" in state ? state.startedAt : null,
    finishedAt: state?.phase === "exited" ? state.finishedAt : null,
    status: "damaged",
    pid: state?.phase === "running" && isAlive(state.process) ? state.process.pid : 0,
    exitCode: state?.phase === "exited" ? state.exitCode : null,
    error: why,
    ports: portsOf(container?.publish ?? []),
    volumes: container?.volumes ?? [],
  };
}

export function describeContainer(store: Store, container: Container): ListedContainer {
  return describe(container, currentStatus(store, container));
}

function describe(container: Container, current: Current): ListedContainer {
  const { state, status } = current;
  const interrupted = state.phase === "starting" && status === "exited";
  return {
    id: container.id,
    name: container.name,
    image: container.image,
    command: container.args,
    created: container.created,
    startedAt: "startedAt" in state ? state.startedAt : null,
    finishedAt: "finishedAt" in state ? state.finishedAt : null,
    status,
    pid: state.phase === "running" && isRunning(current) ? state.process.pid : 0,
    exitCode: state.phase === "exited" ? state.exitCode : null,
    error: state.phase === "exited" ? state.error : interrupted ? "its start was interrupted" : null,
    ports: portsOf(container.publish),
    volumes: container.volumes,
  };
}

function portsOf(publish: readonly Published[]): string[] {
  return publish.map(
    ({ protocol, address, hostPort, containerPort }) =>
      `${address ?? "0.0.0.0"}:${hostPort}->${containerPort}/${protocol}`,
  );
}

/** All there is to know of a container. */
export function inspectContainer(store: Store, container: Container): object {
  return {
    ...describeContainer(store, container),
    digest: container.digest,
    network: container.network,
    publish: container.publish,
    stopSignal: container.stopSignal,
    stopTimeout: container.stopTimeout,
    autoRemove: container.autoRemove,
    tty: container.tty,
    logSize: container.logSize,
    logPath: containerPath(store, container.id, "log"),
    bundle: containerPath(store, container.id, "bundle"),
    runtimeRoot: container.root,
  };
}
