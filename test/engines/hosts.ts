/** What engines run on: for each kind, the configuration of `docs/engines.md`, the daemon, and the image. */
import { copyFileSync, writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { documented } from "./documented.ts";
import { PAUSE } from "./image.ts";
import type { Caller, Machine } from "./machine.ts";

export type HostName = "podman" | "dockerd" | "containerd";

/** The ordinary user of a machine. */
export const USER: Caller = { uid: 61_000, home: "/home/engines" };

/** Prepares a machine for an engine. @throws {Error} saying why it does not run there */
export async function prepare(host: HostName, machine: Machine, image: Buffer): Promise<void> {
  writeFileSync(machine.path("/srv/image.tar"), image);
  copyFileSync(resolve("test/support/with-pty.py"), machine.path("/srv/with-pty.py"));
  await PREPARE[host](machine);
}

const PREPARE: Record<HostName, (machine: Machine) => Promise<void>> = { podman, dockerd, containerd };

async function podman(machine: Machine): Promise<void> {
  for (const [index, name] of ["containers.conf", "containers.conf.d/10-json.conf"].entries())
    machine.append(`/etc/containers/${name}`, documented("Podman", "toml", index));
  // There is no systemd; and this machine's root may not be allowed to raise limits.
  const ours = [
    "[engine]",
    'cgroup_manager = "cgroupfs"',
    'events_logger = "file"',
    "[containers]",
    'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]',
    'log_driver = "k8s-file"',
  ];
  machine.append("/etc/containers/containers.conf.d/20-machine.conf", `${ours.join("\n")}\n`);
  await must(machine, `echo '{"default":[{"type":"insecureAcceptAnything"}]}' > /etc/containers/policy.json`);
  await must(
    machine,
    `echo 'engines:x:${USER.uid}:${USER.uid}::${USER.home}:/bin/bash' >> /etc/passwd
     echo 'engines:x:${USER.uid}:' >> /etc/group
     echo 'engines:1000000:65536' | tee -a /etc/subuid >> /etc/subgid
     echo 'containers:2000000:1000000' | tee -a /etc/subuid >> /etc/subgid # of which --userns auto takes
     mkdir -p ${USER.home}/.config/containers /run/user/${USER.uid} && chmod 700 /run/user/${USER.uid}
     chown -R ${USER.uid}:${USER.uid} ${USER.home} /run/user/${USER.uid}`,
  );
  await must(machine, "podman load --quiet --input /srv/image.tar");
}

async function dockerd(machine: Machine): Promise<void> {
  const settings = {
    ...JSON.parse(documented("Docker", "json")),
    "default-runtime": "tsrunc",
    "cgroup-parent": `/docker-${basename(machine.home).replace(/.*-/, "")}`,
  };
  machine.append("/etc/docker/daemon.json", JSON.stringify(settings));
  const daemon = machine.daemon("dockerd", "dockerd");
  await answers(machine, "docker version", "dockerd", () => daemon.exitCode !== null);
  await must(machine, "docker load --quiet --input /srv/image.tar");
}

async function containerd(machine: Machine): Promise<void> {
  const network = {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipam: { type: "host-local", ranges: [[{ subnet: "10.88.0.0/16" }]], routes: [{ dst: "0.0.0.0/0" }] },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  machine.append("/etc/cni/net.d/10-pods.conflist", JSON.stringify(network));
  const ours = [
    "version = 2",
    '[plugins."io.containerd.grpc.v1.cri"]',
    `  sandbox_image = "${PAUSE}"`,
    "  restrict_oom_score_adj = true",
    '[plugins."io.containerd.grpc.v1.cri".cni]',
    '  bin_dir = "/usr/lib/cni"',
  ];
  await must(machine, "mkdir -p /etc/containerd && : > /etc/containerd/config.toml");
  machine.append("/etc/containerd/config.toml", `${ours.join("\n")}\n${documented("containerd", "toml")}`);
  machine.append("/etc/crictl.yaml", 'runtime-endpoint: "unix:///run/containerd/containerd.sock"\ntimeout: 60\n');
  const daemon = machine.daemon("containerd", "containerd");
  await answers(machine, "ctr version", "containerd", () => daemon.exitCode !== null);
  for (const namespace of ["default", "k8s.io"])
    await must(machine, `ctr --namespace ${namespace} images import --no-unpack /srv/image.tar`);
}

async function answers(machine: Machine, question: string, log: string, over: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 300 && !over(); attempt++) {
    if ((await machine.run(question)).code === 0) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  const { stdout } = await machine.run(`tail -n 1 /srv/${log}.log`);
  throw new Error(`${log} does not run here: ${stdout.trim()}`);
}

async function must(machine: Machine, script: string): Promise<void> {
  const { code, stderr } = await machine.run(`set -e\n${script}`);
  if (code !== 0) throw new Error(`cannot prepare the machine: ${script.trim().split("\n")[0]}: ${stderr.trim()}`);
}
