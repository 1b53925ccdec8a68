/** Executes a command in a root filesystem: by the runtime, with the walls of a default container. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import type { Mount } from "../../../config/types.ts";
import type { Fd } from "../../../sys/fd.ts";
import { join } from "../../../sys/path-names.ts";
import { runtimePath } from "../../bundle/run.ts";
import { toRuntimeConfig } from "../../bundle/runtime-config.ts";
import { readInImage, resolveUser } from "../../bundle/user.ts";
import { DEFAULT_LIMITS } from "../../layer/limits.ts";
import type { Platform } from "../../store/documents.ts";
import type { MountedLayers } from "./workspace.ts";

export interface ContainerRequest {
  mounted: MountedLayers;
  args: readonly string[];
  /** `name=value` */
  env: readonly string[];
  cwd: string;
  user: string;
  network: "none" | "host";
  mounts: readonly Mount[];
  platform: Platform;
  /** Inherited by the runtime. */
  lock: Fd;
  runtimeArgs: readonly string[];
  output(chunk: Uint8Array): void;
  signal: AbortSignal;
}

/** @returns the exit code, 128+N where signal N ended it @throws {Error} when it cannot be started @throws the signal's reason */
export async function runContainer(request: ContainerRequest): Promise<number> {
  const { mounted, signal, lock, runtimeArgs } = request;
  writeConfig(request);
  const id = `build-${randomBytes(8).toString("hex")}`;
  signal.throwIfAborted();
  const child = spawn(runtimePath(), [...runtimeArgs, "run", "--bundle", mounted.directory, id], {
    stdio: ["ignore", "pipe", "pipe", lock.number],
    // Out of the terminal's foreground: what interrupts the build ends the container by its name.
    detached: true,
  });
  child.stdout?.on("data", request.output);
  child.stderr?.on("data", request.output);
  const stop = () => void spawnSync(runtimePath(), [...runtimeArgs, "delete", "--force", id], { stdio: "ignore" });
  signal.addEventListener("abort", stop);
  try {
    const code = await new Promise<number>((settle, reject) => {
      child.on("error", reject);
      child.on("close", (code, name) => settle(code ?? 128 + (constants.signals[name as NodeJS.Signals] ?? 0)));
    });
    signal.throwIfAborted();
    return code;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function writeConfig({ mounted, args, env, cwd, user, network, mounts, platform }: ContainerRequest): void {
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
    hostname: "build",
    tty: false,
    mounts,
    readOnly: false,
    memory: null,
    cpus: null,
    pids: null,
    network,
    annotations: {},
    limits: DEFAULT_LIMITS,
  } as const;
  const image = { ...platform, rootfs: { type: "layers", diff_ids: [] } } as const;
  const { spec } = toRuntimeConfig(image as never, options, {
    user: resolved,
    volumes: [],
    cgroupV2: existsSync("/sys/fs/cgroup/cgroup.controllers"),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  });
  writeFileSync(join(mounted.directory, "config.json"), JSON.stringify(spec), { mode: 0o600 });
}
