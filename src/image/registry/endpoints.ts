/**
 * Where a registry is: its address, whom to trust there, and the mirrors that are asked before it.
 *
 * `certs.d/<host[:port]>/` is looked for in `/etc/containers`, `/etc/docker` and `/etc/containerd`, an ordinary user's first in
 * `$XDG_CONFIG_HOME/containers` and `~/.docker`; or where `--cert-dir` says. In it: `*.crt` are authorities, `NAME.cert` and `NAME.key` identify
 * the client, and `hosts.toml` is containerd's: `server`, and `[host."https://mirror"]` in the order in which they are asked.
 * @see containers-certs.d(5), containerd's docs/hosts.md
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "../../sys/path-names.ts";
import { HUB } from "../reference/reference.ts";
import { readHosts } from "./hosts-file.ts";
import type { TlsOptions } from "./http.ts";

/** A place that speaks the distribution protocol. */
export interface Endpoint {
  /** Without a path: `https://registry-1.docker.io`. */
  base: URL;
  tls: TlsOptions;
  /** Whether it is a mirror, which is asked for the images of another. */
  mirror: boolean;
  /** Whether the path of `base` is all that comes before the repository; else `/v2` follows it. */
  wholePath?: boolean;
}

export interface EndpointOptions {
  /** HTTP without TLS. */
  plainHttp?: boolean;
  /** Whether certificates are checked; default true. */
  tlsVerify?: boolean;
  /** One directory of certificates, in the place of all `certs.d`. */
  certDir?: string;
}

/** The places to ask for an image of a registry, the registry itself last. @throws {Error} for a bad hosts.toml or PEM file */
export function endpointsOf(registry: string, options: EndpointOptions = {}): Endpoint[] {
  const directory = options.certDir ?? certDirectories(registry).find((path) => existsSync(path));
  const tls = readCertificates(directory, options.tlsVerify ?? true);
  const scheme = options.plainHttp ? "http" : "https";
  const base = new URL(`${scheme}://${registry === HUB ? "registry-1.docker.io" : registry}`);
  const hosts = directory === undefined ? null : join(directory, "hosts.toml");
  if (hosts === null || !existsSync(hosts)) return [{ base, tls, mirror: false }];
  return readHosts(hosts, { base, tls, mirror: false });
}

function certDirectories(registry: string): string[] {
  const home = homedir();
  const own = [join(process.env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "containers"), join(home, ".docker")];
  const roots = [...own, "/etc/containers", "/etc/docker", "/etc/containerd"];
  // A colon cannot stand in a name everywhere: containerd writes host_port_.
  const names = [registry, registry.replace(/:(\d+)$/, "_$1_")];
  return roots.flatMap((root) => names.map((name) => join(root, "certs.d", name)));
}

function readCertificates(directory: string | undefined, verify: boolean): TlsOptions {
  if (directory === undefined) return { verify };
  const names = readdirSync(directory);
  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  const ca = names.filter((name) => name.endsWith(".crt")).map(read);
  const cert = names.find((name) => name.endsWith(".cert"));
  const key = cert?.replace(/cert$/, "key");
  if (key !== undefined && !names.includes(key)) throw new Error(`${directory}: ${cert} has no ${key} beside it`);
  return {
    verify,
    ...(ca.length === 0 ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert: read(cert), key: read(key) }),
  };
}
