/**
 * A container's network by pasta of the package passt: its own network namespace, connected through a process of the host's that needs no
 * rights there.
 * @see pasta(1)
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "../../sys/path-names.ts";
import type { Store } from "../store/store.ts";
import { identify, isAlive } from "./process.ts";
import { type Container, containerPath, type ProcessIdentity, type Published } from "./record.ts";

/** @returns the absolute path of pasta @throws {Error} where it is missing */
export function findPasta(): string {
  const found = (process.env["PATH"] ?? "/usr/bin:/bin")
    .split(":")
    .map((directory) => join(directory, "pasta"))
    .find((path) => path.startsWith("/") && existsSync(path));
  if (found !== undefined) return found;
  throw new Error("--network pasta and --publish need pasta, which is not installed: it is in the package passt");
}

/**
 * Reads `[[ADDRESS:]HOST-PORT:]CONTAINER-PORT[/tcp|/udp]`, as of `docker run --publish`; a single port is the same on both sides.
 * @throws {Error}
 */
export function parsePublish(text: string): Published {
  const wrong = (what: string) =>
    new Error(`--publish ${JSON.stringify(text)}: ${what}: [[ADDRESS:]HOST-PORT:]CONTAINER-PORT[/tcp|/udp] is right`);
  const [ports = "", protocol = "tcp", ...more] = text.split("/");
  if (more.length > 0 || (protocol !== "tcp" && protocol !== "udp")) throw wrong("the protocol is tcp or udp");
  const match = /^(?:(?:(\[[0-9a-fA-F:]+\]|[0-9.]+):)?(\d{1,5}):)?(\d{1,5})$/.exec(ports);
  if (match === null) throw wrong("this is no port");
  const [, address, host, inside] = match;
  const [containerPort, hostPort] = [Number(inside), Number(host ?? inside)];
  for (const port of [containerPort, hostPort]) if (port < 1 || port > 65535) throw wrong("a port is 1 to 65535");
  return { protocol, address: address?.replace(/[[\]]/g, "") ?? null, hostPort, containerPort };
}

/** The arguments of pasta for a container whose process has a pid. Pure. */
export function pastaArguments(publish: readonly Published[], pid: number, pidFile: string, isRoot: boolean): string[] {
  const ports = (protocol: "tcp" | "udp") => {
    const those = publish.filter((one) => one.protocol === protocol);
    const flag = protocol === "tcp" ? "-t" : "-u";
    if (those.length === 0) return [flag, "none"];
    return those.flatMap(({ address, hostPort, containerPort }) => [
      flag,
      `${address === null ? "" : `${address}/`}${hostPort}:${containerPort}`,
    ]);
  };
  return [
    "--config-net",
    "--quiet",
    ...["--pid", pidFile],
    ...ports("tcp"),
    ...ports("udp"),
    // Nothing of the host's loopback but what is published.
    ...["-T", "none", "-U", "none", "--no-map-gw"],
    // Root's containers have no user namespace, and the namespace of their network is root's: no other user may enter it.
    ...(isRoot ? ["--runas", "0", "--netns-only", "--netns", `/proc/${pid}/ns/net`] : [`${pid}`]),
  ];
}

/** Connects a container. @returns the process that does @throws {Error} with what pasta says */
export function startPasta(store: Store, container: Container, pid: number): ProcessIdentity | null {
  const pidFile = join(containerPath(store, container.id), "pasta.pid");
  rmSync(pidFile, { force: true });
  const args = pastaArguments(container.publish, pid, pidFile, process.geteuid?.() === 0);
  const { status, stderr, error } = spawnSync(findPasta(), args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`pasta: ${stderr.trim().split("\n").at(-1) ?? `exit code ${status}`}`);
  return identify(Number(readFileSync(pidFile, "utf8").trim()));
}

/** It ends by itself with the network namespace; a port that it listens on shall be free before that. */
export function stopPasta(pasta: ProcessIdentity | null): void {
  if (pasta !== null && isAlive(pasta)) process.kill(pasta.pid, "SIGTERM");
}
