/**
 * What a container has of its network in files, as Docker gives them: `/etc/hosts`, which names the container itself, and `/etc/resolv.conf`, where
 * there is a network. Copies, of the container's own: it may write to its hosts, unless its root filesystem is read-only.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Mount } from "../../config/types.ts";
import { join } from "../../sys/path-names.ts";
import { resolverFile } from "../containers/resolver.ts";
import { type BundleOptions, placeOf } from "./options.ts";
import { plainUmask } from "./plain-umask.ts";

const HOSTS_FILE = "hosts";
const RESOLVER_FILE = "resolv.conf";

export interface Network {
  mode: "none" | "host" | "pasta";
  hostname: string;
}

/** Writes the files. @param directory of the container */
export function writeNetworkFiles(directory: string, { mode, hostname }: Network): void {
  using _ = plainUmask();
  writeFileSync(join(directory, HOSTS_FILE), hostsText(mode === "host" ? hostsOfHost() : "", hostname), {
    mode: 0o644,
  });
  if (mode !== "none") resolverFile(directory, mode);
}

/**
 * The mounts of what {@link writeNetworkFiles} writes; none in the place of what the caller mounts there, nor where the caller's own directory is
 * mounted read-only.
 */
export function networkMounts(
  directory: string,
  mode: Network["mode"],
  { mounts: given, readOnly }: Pick<BundleOptions, "mounts" | "readOnly">,
): Mount[] {
  const resolver = mode !== "none" && existsSync("/etc/resolv.conf");
  const wanted: Mount[] = [
    {
      destination: "/etc/hosts",
      type: "bind",
      source: join(directory, HOSTS_FILE),
      options: readOnly ? ["bind", "ro"] : ["bind"],
    },
    ...(resolver
      ? [
          {
            destination: "/etc/resolv.conf",
            type: "bind",
            source: join(directory, RESOLVER_FILE),
            options: ["bind", "ro"],
          },
        ]
      : []),
  ];
  return wanted.filter(({ destination }) => !given.some((mount) => takesPlace(mount, destination)));
}

function takesPlace({ destination, options = [] }: Mount, path: string): boolean {
  const place = placeOf(destination);
  return place === path || (path.startsWith(`${place}/`) && options.includes("ro"));
}

/** @param others what the host has, or nothing. Pure. */
export function hostsText(others: string, hostname: string): string {
  const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  const first = others === "" || others.endsWith("\n") ? others : `${others}\n`;
  return `${first || local}127.0.1.1\t${hostname}\n`;
}

function hostsOfHost(): string {
  return existsSync("/etc/hosts") ? readFileSync("/etc/hosts", "utf8") : "";
}
