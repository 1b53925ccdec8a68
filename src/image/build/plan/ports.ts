/** EXPOSE's arguments as the keys of a configuration. */

/** `80`, `80/tcp`, `8000-8002/UDP` and so on: a key a port, protocol in lower case. @throws {Error} */
export function portKeys(text: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([A-Za-z]+))?$/.exec(text);
  const wrong = (why: string) =>
    new Error(`invalid port ${JSON.stringify(text)}: ${why}: PORT[-PORT][/tcp|udp|sctp] is right`);
  if (match === null)
    throw wrong(text.includes(":") ? "ports of the host are chosen when a container is run" : "it is no port");
  const [, first = "", last = first, protocol = "tcp"] = match;
  const [low, high] = [Number(first), Number(last)];
  if (low < 1 || high > 65535) throw wrong("ports are numbers of 1 to 65535");
  if (low > high) throw wrong("the range has nothing in it");
  const name = protocol.toLowerCase();
  if (!["tcp", "udp", "sctp"].includes(name)) throw wrong(`the protocol ${JSON.stringify(protocol)} is not known`);
  return Array.from({ length: high - low + 1 }, (_, index) => `${low + index}/${name}`);
}
