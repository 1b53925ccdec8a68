/**
 * A container's network by pasta of the package passt: its own network namespace, connected through a process of the host's that needs no
 * rights there.
 * @see pasta(1)
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, rmSync } from "node:fs";
import { isAddressInUse } from "../../sys/address-in-use.ts";
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { join } from "../../sys/path-names.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { pidfdOpen } from "../../sys/process.ts";
import type { Store } from "../store/store.ts";
import type { Named } from "./names.ts";
import { type Container, containerPath, type Published } from "./record.ts";
import { DNS_FORWARD } from "./resolver.ts";

/** Whether pasta is there, and can have the device that it needs. */
export function hasPasta(): boolean {
  const device = "/dev/net/tun";
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return lookForPasta() !== null;
  } catch {
    return false;
  }
}

function lookForPasta(): string | null {
  const places = (process.env["PATH"] ?? "/usr/bin:/bin").split(":").map((directory) => join(directory, "pasta"));
  return places.find((path) => path.startsWith("/") && existsSync(path)) ?? null;
}

/** @returns the absolute path of pasta @throws {Error} where it is missing */
export function findPasta(): string {
  const found = lookForPasta();
  if (found !== null) return found;
  throw new Error("--network pasta and --publish need pasta, which is not installed: it is in the package passt");
}

/**
 * The arguments of pasta for a container whose network namespace is its descriptor 3. Pure.
 * @param joins whether descriptor 4 is the user namespace that owns that
 */
export function pastaArguments(publish: readonly Published[], pidFile: string, joins: boolean): string[] {
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
    // For those whom the host itself asks by its loopback interface: see `resolver.ts`.
    ...["--dns-forward", DNS_FORWARD],
    // By descriptor: pasta has dropped by then what it takes to open a process's.
    ...["--netns", "/proc/self/fd/3"],
    // Root's containers have no user namespace, and that of their network is root's: no other user may enter it.
    ...(joins ? ["--userns", "/proc/self/fd/4"] : ["--netns-only", "--runas", "0"]),
  ];
}

/** Connects a container to the network. @throws {Error} for a port of the host that somebody has, and with what pasta says */
export function startPasta(store: Store, container: Container, pid: number): void {
  refuseTaken(container.publish);
  const joins = process.geteuid?.() !== 0;
  using network = open(`/proc/${pid}/ns/net`, O.RDONLY);
  using user = joins ? open(`/proc/${pid}/ns/user`, O.RDONLY) : undefined;
  connectNetwork({ publish: container.publish, pidFile: pidFileOf(store, container), network, user: user ?? null });
}

/** Pasta is content when one of IPv4 and IPv6 has a port free; whoever asks for the port on all addresses wants it on both. @throws {Error} */
function refuseTaken(publish: readonly Published[]): void {
  for (const { protocol, address, hostPort } of publish) {
    if (address !== null) continue;
    const [ipv4, ipv6] = [new Uint8Array(4), new Uint8Array(16)];
    const taken = [ipv4, ipv6].find((all) => isAddressInUse(protocol, all, hostPort));
    if (taken === undefined) continue;
    throw new Error(
      `--publish: the host's ${protocol} port ${hostPort} is in use already at ${taken === ipv4 ? "an address of IPv4" : "an address of IPv6"}: give another one`,
    );
  }
}

/** What pasta is to connect. */
interface Connection {
  publish: readonly Published[];
  /** It writes its pid there once all is connected. */
  pidFile: string;
  network: Fd;
  /** The user namespace that owns that; `null` for this process's own. */
  user: Fd | null;
}

/** @throws {Error} with what pasta says */
export function connectNetwork({ publish, pidFile, network, user }: Connection): void {
  const args = pastaArguments(publish, pidFile, user !== null);
  const { status, stderr, error } = spawnSync(findPasta(), args, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe", network.number, ...(user === null ? [] : [user.number])],
  });
  if (error) throw error;
  if (status === 0) return;
  // It says the same to syslog, and complains where there is none.
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !line.includes("to syslog"));
  throw new Error(`pasta: ${lines.at(-1) ?? `exit code ${status}`}`);
}

/** Ends the pasta of a container, if there is one: it would stay, and keep its ports. */
export function stopPasta(store: Store, container: Container): void {
  endPasta(pidFileOf(store, container));
}

/** {@link stopPasta}, by the file that has its pid. */
export function endPasta(pidFile: string): void {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, "latin1").trim());
  // After a reboot the number may be another process's.
  if (pid > 1 && commandLine(pid).includes(pidFile)) terminate(pid);
  rmSync(pidFile, { force: true });
}

/** Until it is gone its ports are taken, by whom the next start would not know. */
function terminate(pid: number): void {
  try {
    using pidfd = pidfdOpen(pid);
    process.kill(pid, "SIGTERM");
    poll([{ fd: pidfd.number, events: POLL.IN }], 2000);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

export function pidFileOf(store: Store, { id }: Named): string {
  return join(containerPath(store, id), "pasta.pid");
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}
