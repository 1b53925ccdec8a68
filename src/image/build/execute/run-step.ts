/** Carries out RUN. */
import { existsSync, writeFileSync } from "node:fs";
import type { Mount } from "../../../config/types.ts";
import { join } from "../../../sys/path-names.ts";
import { hasPasta } from "../../containers/pasta.ts";
import { resolverFile } from "../../containers/resolver.ts";
import { overlayNamespace } from "../../snapshot/directories.ts";
import type { Platform } from "../../store/documents.ts";
import { DockerfileError } from "../language/position.ts";
import type { RunStep } from "../plan/steps.ts";
import type { StepTask } from "../progress.ts";
import { MountStubs } from "./mount-stubs.ts";
import type { MountedLayers } from "./mounted-layers.ts";
import { runContainer } from "./run-container.ts";
import { type MountContext, PreparedMounts } from "./run-mounts.ts";

export interface RunContext extends MountContext {
  platform: Platform;
  hostname: string;
  runtimeArgs: readonly string[];
}

/** What every container has mounted, and not every image a mount point for. */
const STANDARD = ["/proc", "/dev", "/sys"];

/** @throws {DockerfileError} for a command that fails, with its exit code */
export async function runStep(
  step: RunStep,
  mounted: MountedLayers,
  context: RunContext,
  task: StepTask,
): Promise<void> {
  using prepared = await PreparedMounts.make(step, context);
  const network = step.network === "default" ? defaultNetwork() : step.network;
  const mounts = [...networkFiles(mounted.directory, network, context.hostname), ...prepared.mounts];
  const stubs = new MountStubs(mounted.root, [...STANDARD, ...mounts.map(({ destination }) => destination)]);
  let code: number;
  try {
    code = await runContainer({
      mounted,
      args: step.args,
      env: [...step.env, ...step.proxies, ...prepared.env],
      cwd: step.cwd,
      user: step.user,
      network,
      mounts,
      platform: context.platform,
      hostname: context.hostname,
      workspace: context.workspace.path,
      lock: context.workspace.lock,
      runtimeArgs: context.runtimeArgs,
      output: (chunk) => task.output(chunk),
      signal: context.signal,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw new DockerfileError(step.at, (error as Error).message);
  }
  if (code !== 0) throw new DockerfileError(step.at, `the command ended with exit code ${code}: ${step.text}`);
  stubs.remove();
}

/** What a command gets that asks for nothing else. In a user namespace nobody comes back to the host's network, which the making of another one takes. */
function defaultNetwork(): "host" | "pasta" {
  return overlayNamespace() === "trusted" && hasPasta() ? "pasta" : "host";
}

/** With a network, names are resolved as the host does it; without one there is only the host itself. */
function networkFiles(directory: string, network: "none" | "host" | "pasta", hostname: string): Mount[] {
  const hosts = join(directory, "hosts");
  const text = `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${hostname}\n`;
  writeFileSync(hosts, text, { mode: 0o644 });
  const bind = (source: string, destination: string): Mount => ({
    destination,
    type: "bind",
    source,
    options: ["bind", "ro"],
  });
  const resolver = network === "none" ? null : network === "host" ? hostsResolver() : resolverFile(directory);
  return [bind(hosts, "/etc/hosts"), ...(resolver === null ? [] : [bind(resolver, "/etc/resolv.conf")])];
}

function hostsResolver(): string | null {
  return existsSync("/etc/resolv.conf") ? "/etc/resolv.conf" : null;
}
