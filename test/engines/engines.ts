/** The engines: the columns of the table. */
import { type HostName, USER } from "./hosts.ts";
import type { Caller } from "./machine.ts";
import type { Language } from "./workload.ts";

export interface Engine {
  name: string;
  host: HostName;
  /** What `$engine` is in its scripts. */
  program: string;
  /** Programs that it needs besides, from Debian's packages. */
  programs: readonly string[];
  /** Whose words it takes, the most particular ones first. */
  speaks: readonly Language[];
  /** Who calls it; root where nothing is said. */
  caller?: Caller;
  /** Makes it ready, after its host. */
  prepare?: string;
  /** Prints its version. */
  version: string;
  /** Removes what a workload has left of what it called `$id`. */
  clean: string;
  /** Prints what is left once all workloads are over: nothing. */
  left: string;
}

const PODMAN = {
  host: "podman",
  program: "podman",
  version: "podman --version | sed 's/.* //'",
  clean: `
    podman pod ls --quiet --filter name="^$id" | xargs -r podman pod rm --force --time 0
    podman ps --all --quiet --filter name="^$id" | xargs -r podman rm --force --time 0 --volumes
    podman volume ls --quiet --filter name="^$id" | xargs -r podman volume rm --force
    podman network ls --quiet --filter name="^$id" | xargs -r podman network rm --force
    podman images --quiet --filter reference="*/$id*" | xargs -r podman rmi --force`,
  left: "podman ps --all --format '{{.Names}}'; podman pod ls --format '{{.Name}}'; podman volume ls --quiet",
} as const;

const DOCKER = {
  host: "dockerd",
  version: "docker version --format '{{.Server.Version}}'",
  clean: `
    docker ps --all --quiet --filter name="^/$id" | xargs -r docker rm --force --volumes
    docker volume ls --quiet --filter name="^$id" | xargs -r docker volume rm --force
    docker network ls --quiet --filter name="^$id" | xargs -r docker network rm
    docker images --quiet --filter reference="$id*" | xargs -r docker rmi --force`,
  left: "docker ps --all --format '{{.Names}}'; docker volume ls --quiet; docker service ls --quiet 2>/dev/null",
} as const;

export const ENGINES: readonly Engine[] = [
  { ...PODMAN, name: "podman", programs: ["podman", "conmon"], speaks: ["podman", "common"] },
  {
    ...PODMAN,
    name: "podman rootless",
    programs: ["podman", "conmon", "newuidmap", "slirp4netns"],
    speaks: ["rootless", "podman", "common"],
    caller: USER,
    prepare: "podman load --quiet --input /srv/image.tar",
  },
  {
    name: "buildah",
    host: "podman",
    program: "buildah",
    programs: ["buildah"],
    speaks: ["buildah"],
    version: "buildah --version | sed -E 's/.*version ([^ ]*).*/\\1/'",
    clean: `
      buildah containers --quiet --filter name="$id" | xargs -r buildah rm
      buildah images --quiet --filter reference="localhost/$id*" | xargs -r buildah rmi --force`,
    left: "buildah containers --quiet",
  },
  {
    ...DOCKER,
    name: "docker",
    program: "docker",
    programs: ["docker", "dockerd", "containerd"],
    speaks: ["docker", "common"],
  },
  {
    ...DOCKER,
    name: "buildkit",
    program: "docker",
    programs: ["docker", "dockerd", "docker-buildx"],
    speaks: ["buildkit"],
  },
  {
    ...DOCKER,
    name: "compose",
    program: "docker-compose",
    programs: ["docker", "dockerd", "docker-compose"],
    speaks: ["compose"],
    version: "docker-compose version --short",
  },
  { ...DOCKER, name: "swarm", program: "docker", programs: ["docker", "dockerd"], speaks: ["swarm"] },
  {
    name: "ctr",
    host: "containerd",
    program: "ctr",
    programs: ["containerd", "ctr"],
    speaks: ["ctr"],
    version: "ctr --version | sed -E 's/.* v?//'",
    clean: `
      ctr tasks ls --quiet | grep "^$id" | while read -r task; do ctr tasks rm --force "$task"; done
      ctr containers ls --quiet | grep "^$id" | xargs -r ctr containers rm`,
    left: "ctr tasks ls --quiet; ctr containers ls --quiet",
  },
  {
    name: "cri",
    host: "containerd",
    program: "crictl",
    programs: ["containerd", "crictl"],
    speaks: ["cri"],
    version: "crictl version | sed -n 's/^RuntimeVersion: *//p'",
    clean: `crictl pods --quiet --name "^$id" | xargs -r crictl rmp --force`,
    left: "crictl pods --quiet; crictl ps --all --quiet",
  },
];
