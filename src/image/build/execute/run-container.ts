/** Executes a command in a root filesystem: by the runtime, with the walls of a default container. */
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import type { Mount } from "../../../config/types.ts";
import type { Fd } from "../../../sys/fd.ts";
import { makeNetworkNamespace } from "../../../sys/namespace.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import { DEFAULT_CAPABILITIES } from "../../bundle/capabilities.ts";
import { fitUser, mappedIds } from "../../bundle/mapped-ids.ts";
import { exitCodeOf } from "../../bundle/pass-signals.ts";
import { relayTo } from "../../bundle/relay.ts";
import { toRuntimeConfig } from "../../bundle/runtime-config.ts";
import { runtimePath } from "../../bundle/runtime-path.ts";
import { readInImage, resolveUser } from "../../bundle/user.ts";
import { connectNetwork, endPasta } from "../../containers/pasta.ts";
import { DEFAULT_LIMITS } from "../../layer/limits.ts";
import type { Platform } from "../../store/documents.ts";
import { PASTA, RUNS } from "../builder.ts";
import type { MountedLayers } from "./mounted-layers.ts";

export interface ContainerRequest {
  mounted: MountedLayers;
  args: readonly string[];
  /** `name=value` */
  env: readonly string[];
  cwd: string;
  user: string;
  network: "none" | "host" | "pasta";
  mounts: readonly Mount[];
  platform: Platform;
  hostname: string;
  /** The build's directory. */
  workspace: string;
  /** Inherited by the runtime. */
  lock: Fd;
  runtimeArgs: readonly string[];
  output(chunk: Uint8Array): void;
  signal: AbortSignal;
}

/** @returns the exit code, 128+N where signal N ended it @throws {Error} when it cannot be started @throws the signal's reason */
export async function runContainer(request: ContainerRequest): Promise<number> {
  const { mounted, signal, lock, runtimeArgs } = request;
  const id = `build-${randomHex(8)}`;
  signal.throwIfAborted();
  // Written down before it is made: a build that is killed cannot clear it.
  appendFileSync(join(request.workspace, RUNS), `${id}\n`, { mode: 0o600 });
  const pidFile = join(mounted.directory, PASTA);
  using network = request.network === "pasta" ? connected(pidFile) : undefined;
  writeConfig(request, network?.path ?? null);
  using output = relayTo(request.output);
  const child = spawn(runtimePath(), [...runtimeArgs, "run", "--bundle", mounted.directory, id], {
    stdio: ["ignore", output.end.number, output.end.number, lock.number],
    // Out of the terminal's foreground: what interrupts the build ends the container by its name.
    detached: true,
  });
  const stop = () => void spawnSync(runtimePath(), [...runtimeArgs, "delete", "--force", id], { stdio: "ignore" });
  signal.addEventListener("abort", stop);
  try {
    output.end.close();
    const [code] = await Promise.all([exitCodeOf(child), output.drained]);
    signal.throwIfAborted();
    return code;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A network namespace that is connected by pasta until the end of its block. */
function connected(pidFile: string): { path: string } & Disposable {
  const network = makeNetworkNamespace();
  try {
    connectNetwork({ publish: [], pidFile, network, user: null });
  } catch (error) {
    network.close();
    throw new Error(`${(error as Error).message} ("--network host" does without)`);
  }
  return {
    path: `/proc/${process.pid}/fd/${network.number}`,
    [Symbol.dispose]() {
      endPasta(pidFile);
      network.close();
    },
  };
}

function writeConfig(request: ContainerRequest, networkPath: string | null): void {
  const { mounted, args, env, cwd, user, network, mounts, platform, hostname } = request;
  const { root } = mounted;
  const resolved = resolveUser(user, readInImage(root, "/etc/passwd"), readInImage(root, "/etc/group"));
  const options = {
    form: "overlay",
    rootless: false,
    args,
    entrypoint: [],
    env,
    user,
    cwd,
    hostname,
    tty: false,
    mounts,
    tmpfs: [],
    readOnly: false,
    capabilities: DEFAULT_CAPABILITIES,
    shmSize: null,
    memory: null,
    cpus: null,
    pids: null,
    network: network === "host" ? "host" : "none",
    annotations: {},
    limits: DEFAULT_LIMITS,
  } as const;
  const image = { ...platform, rootfs: { type: "layers", diff_ids: [] } } as const;
  const { spec } = toRuntimeConfig(image as never, options, {
    user: { ...resolved, user: fitUser(`the user ${JSON.stringify(user)}`, resolved.user, mappedIds()).user },
    volumes: [],
    cgroupV2: existsSync("/sys/fs/cgroup/cgroup.controllers"),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  });
  for (const namespace of spec.linux?.namespaces ?? [])
    if (namespace.type === "network" && networkPath !== null) namespace.path = networkPath;
  writeFileSync(join(mounted.directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
}
