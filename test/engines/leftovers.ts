/** What is on a machine that engines have used, once they say that they have nothing more. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { HostName } from "./hosts.ts";
import type { Machine } from "./machine.ts";

/** What there was before. */
export interface Traces {
  mounts: ReadonlySet<string>;
  cgroups: ReadonlySet<string>;
}

/** Where Docker is told to put containers (hosts.ts): nobody else has these. */
const OURS = ["docker-tsrunc", "docker-runc"];
/** Where engines put containers, in each hierarchy. */
const PARENTS = [...OURS, "libpod_parent", "default", "k8s.io", "kubepods", "buildah", "system.slice", "user.slice"];

/** What the engines themselves keep while they run, or for the next time. */
const KEPT: Record<HostName, { processes: RegExp; mounts: RegExp; interfaces: RegExp; cgroups: RegExp }> = {
  podman: {
    processes: /^(podman|catatonit|\/usr\/libexec\/podman\/catatonit)( |$)/,
    mounts: /^(\/var\/lib\/containers\/storage\/overlay|\/run\/netns)$/,
    interfaces: /^(lo|podman\d+|tunl0|sit0)$/,
    // Those of pods are Podman's own, which it forgets on cgroup v1; containers' are called libpod-….
    cgroups: /\/libpod_parent\/(conmon|[0-9a-f]{64})$/,
  },
  dockerd: {
    processes: /^(dockerd|containerd) /,
    mounts: /^\/run\/docker\/netns\/(default|1-\w+|lb_\w+|ingress_sbox)$/,
    interfaces: /^(lo|docker0|docker_gwbridge|tunl0|sit0)$/,
    // Above the containers of all builds.
    cgroups: /\/docker-\w+\/buildkit$/,
  },
  containerd: { processes: /^containerd /, mounts: /(?!)/, interfaces: /^(lo|cni0|tunl0|sit0)$/, cgroups: /(?!)/ },
};

export function traces(machine: Machine): Traces {
  return { mounts: new Set(mountPoints(machine)), cgroups: new Set(cgroups(machine)) };
}

/** Looks again for a while: what was killed takes a moment to go. */
export async function leftOn(machine: Machine, host: HostName, before: Traces): Promise<string[]> {
  let found: string[] = [];
  for (let attempt = 0; attempt < 50; attempt++) {
    found = await look(machine, host, before);
    if (found.length === 0) break;
    await new Promise((done) => setTimeout(done, 200));
  }
  return found;
}

async function look(machine: Machine, host: HostName, before: Traces): Promise<string[]> {
  const { processes, mounts, interfaces, cgroups: keptCgroups } = KEPT[host];
  const { stdout } = await machine.run(
    `ps -e -o ppid=,args= > ps; grep -v -E '^ *0 | ps -e ' ps; rm ps; echo; ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'`,
  );
  const [list = "", links = ""] = stdout.split("\n\n");
  const running = list.split("\n").map((line) => line.trim().replace(/^\d+ /, ""));
  const states = ["/run/containerd/s", "/run/runc", "/run/tsrunc"].flatMap((directory) => {
    const path = machine.path(directory);
    const names = existsSync(path) ? readdirSync(path) : [];
    // Filters of system calls are kept for the next container.
    return names.filter((name) => name !== "seccomp:filters").map((name) => `${directory}/${name}`);
  });
  return [
    ...running
      .filter((line) => line !== "" && !line.startsWith("sleep infinity") && !processes.test(line))
      .map((line) => `the process ${line}`),
    ...mountPoints(machine)
      .filter((point) => !before.mounts.has(point) && !mounts.test(point))
      .map((point) => `the mount ${point}`),
    ...links
      .trim()
      .split("\n")
      .filter((name) => name !== "" && !interfaces.test(name))
      .map((name) => `the interface ${name}`),
    ...cgroups(machine)
      .filter((path) => !before.cgroups.has(path) && !keptCgroups.test(path))
      .map((path) => `the cgroup ${path}`),
    ...states,
  ];
}

/** Removes the cgroups that the engine has kept: they are the whole machine's. */
export function removeKept(machine: Machine, host: HostName, before: Traces): void {
  const kept = cgroups(machine).filter((path) => !before.cgroups.has(path) && KEPT[host].cgroups.test(path));
  const parents = hierarchies(machine).flatMap((hierarchy) => OURS.map((parent) => join(hierarchy, parent)));
  for (const path of [...kept, ...parents]) {
    try {
      rmdirSync(machine.path(path));
    } catch {
      // Another machine's, that has a process; or not there.
    }
  }
}

function mountPoints(machine: Machine): string[] {
  const lines = readFileSync(machine.path("/proc/1/mountinfo"), "utf8").trim().split("\n");
  return lines.map((line) => line.split(" ")[4] ?? "");
}

/** The cgroups below those where engines put containers. */
function cgroups(machine: Machine): string[] {
  return hierarchies(machine).flatMap((hierarchy) =>
    PARENTS.map((parent) => join(hierarchy, parent)).flatMap((parent) =>
      directories(machine.path(parent)).map((name) => join(parent, name)),
    ),
  );
}

/** The one of v2 at the top, and what may be hierarchies in it. */
function hierarchies(machine: Machine): string[] {
  const top = "/sys/fs/cgroup";
  return [top, ...directories(machine.path(top)).map((name) => join(top, name))];
}

function directories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));
  } catch {
    return [];
  }
}
