/**
 * Whom a process with a network asks for names: those whom the host asks. A resolver on the host's loopback interface, such as
 * systemd's, cannot be reached from a network by pasta: that takes what is sent to an address of its own, and passes it on.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "../../sys/path-names.ts";

/** What pasta passes on to the host's resolver: of the link-local range, that of nobody. @see pasta(1), --dns-forward */
export const DNS_FORWARD = "169.254.1.1";

const HOSTS = "/etc/resolv.conf";
export const RESOLVER_FILE = "resolv.conf";

/** The text of a resolv.conf, with pasta's address in the place of the host's loopback interface; `null` where none has to be. Pure. */
export function forwarded(text: string): string | null {
  const LOOPBACK = /^\s*nameserver\s+(127\.|::1\b)/;
  const lines = text.split("\n");
  if (!lines.some((line) => LOOPBACK.test(line))) return null;
  const others = lines.filter((line) => !LOOPBACK.test(line));
  return [`nameserver ${DNS_FORWARD}`, ...others].join("\n");
}

/**
 * A copy, which is there whatever becomes of the host's, and can be made anew.
 * @param directory for it @param network on the host's own the resolver is where it is @returns the path of what is to be mounted on `/etc/resolv.conf`; `null` where the host has none
 */
export function resolverFile(directory: string, network: "host" | "pasta" = "pasta"): string | null {
  if (!existsSync(HOSTS)) return null;
  const text = readFileSync(HOSTS, "utf8");
  const path = join(directory, RESOLVER_FILE);
  writeFileSync(path, network === "host" ? text : (forwarded(text) ?? text), { mode: 0o644 });
  return path;
}
