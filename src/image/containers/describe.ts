/** Containers as listings and `inspect` show them. */
import type { Store } from "../store/store.ts";
import { type Container, containerPath, listContainers } from "./record.ts";
import { currentStatus, isRunning, type Status } from "./status.ts";

/** A container, as programs read it. */
export interface ListedContainer {
  id: string;
  name: string;
  image: string;
  command: string[];
  /** RFC 3339; `null` for what has not happened, or nobody saw. */
  created: string;
  startedAt: string | null;
  finishedAt: string | null;
  status: Status;
  /** 0 for one that does not run. */
  pid: number;
  exitCode: number | null;
  error: string | null;
  ports: string[];
  volumes: { name: string; destination: string }[];
}

export function describeContainers(store: Store): ListedContainer[] {
  return listContainers(store).map((container) => describeContainer(store, container));
}

export function describeContainer(store: Store, container: Container): ListedContainer {
  const current = currentStatus(store, container);
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
    ports: container.publish.map(
      ({ protocol, address, hostPort, containerPort }) =>
        `${address ?? "0.0.0.0"}:${hostPort}->${containerPort}/${protocol}`,
    ),
    volumes: container.volumes,
  };
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
