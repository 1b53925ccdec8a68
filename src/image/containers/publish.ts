/** Ports of the host that lead to those of a container. Pure. */
import type { Published } from "./record.ts";

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
  if (address !== undefined && !isAddress(address)) throw wrong(`${address} is no address`);
  return { protocol, address: address?.replace(/[[\]]/g, "") ?? null, hostPort, containerPort };
}

/** @param text of IPv4, or of IPv6 in brackets */
function isAddress(text: string): boolean {
  if (text.startsWith("[")) return URL.canParse(`http://${text}/`);
  const numbers = text.split(".");
  return numbers.length === 4 && numbers.every((number) => /^(0|[1-9]\d{0,2})$/.test(number) && Number(number) < 256);
}

/** @throws {Error} when two are at one port of the host: also one at all of its addresses, and one at a single one */
export function refuseSharedPorts(published: readonly Published[]): void {
  for (const [index, one] of published.entries()) {
    const other = published.slice(0, index).find((earlier) => sharesPort(earlier, one));
    if (other === undefined) continue;
    const [first, second] = [other, one].map(
      ({ address, containerPort }) => `${containerPort}${address === null ? "" : ` at ${address}`}`,
    );
    throw new Error(
      `--publish: the host's ${one.protocol} port ${one.hostPort} cannot lead to the container's ${first} and ${second}: give one of them another port of the host`,
    );
  }
}

function sharesPort(one: Published, other: Published): boolean {
  if (one.protocol !== other.protocol || one.hostPort !== other.hostPort) return false;
  const [first, second] = [one, other].map(({ address }) => (address === null ? null : canonical(address))) as [
    string | null,
    string | null,
  ];
  if (first === null || second === null || first === second) return true;
  const isIpv4 = (address: string) => !address.startsWith("[");
  return isIpv4(first) === isIpv4(second) && [first, second].some((address) => ["0.0.0.0", "[::]"].includes(address));
}

/** An address as it is written in one way only. */
function canonical(address: string): string {
  return address.includes(":") ? new URL(`http://[${address}]/`).hostname : address;
}
