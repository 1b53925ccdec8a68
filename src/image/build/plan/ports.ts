/** EXPOSE's arguments as the keys of a configuration. */
import { isIP } from "node:net";

/**
 * `80`, `80/tcp`, `8000-8002/UDP` and so on: a key a port, protocol in lower case. What `[ADDRESS:][PORT]:` before it says of the host counts for
 * nothing, as in BuildKit: that is chosen when a container is run.
 * @throws {Error}
 */
export function portKeys(text: string): string[] {
  const match = /^(?:(?:(.*):)?([\d-]*):)?(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]+))?$/.exec(text);
  const wrong = (why: string) =>
    new Error(`invalid port ${JSON.stringify(text)}: ${why}: PORT[-PORT][/tcp|udp|sctp] is right`);
  if (match === null) throw wrong("it is no port");
  const [, address = "", host = "", first = "", last = first, protocol = "tcp"] = match;
  if (address !== "" && isIP(address.replace(/^\[(.*)\]$/, "$1")) === 0)
    throw wrong(`${JSON.stringify(address)} is no address`);
  if (host !== "" && !/^\d{1,5}(-\d{1,5})?$/.test(host)) throw wrong(`${JSON.stringify(host)} is no port of the host`);
  const [low, high] = [Number(first), Number(last)];
  if (low < 1 || high > 65535) throw wrong("ports are numbers of 1 to 65535");
  if (low > high) throw wrong("the range has nothing in it");
  const name = protocol.toLowerCase();
  if (!["tcp", "udp", "sctp"].includes(name)) throw wrong(`the protocol ${JSON.stringify(protocol)} is not known`);
  return Array.from({ length: high - low + 1 }, (_, index) => `${low + index}/${name}`);
}
