/** Whether somebody has a port of this machine already. */
import { ERRNO } from "./errno.ts";
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK = { tcp: 1, udp: 2 } as const;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/**
 * Tries it, by taking the port for a moment. What else stands against it (a machine without IPv6, a port of root's) is no answer to the question.
 * @param address four bytes of IPv4, or sixteen of IPv6
 * @see bind(2), ip(7), ipv6(7)
 */
export function isAddressInUse(protocol: "tcp" | "udp", address: Uint8Array, port: number): boolean {
  const isIpv4 = address.length === 4;
  const number = syscall("socket", isIpv4 ? AF_INET : AF_INET6, SOCK[protocol] | SOCK_CLOEXEC, 0);
  if (number === -ERRNO.EAFNOSUPPORT) return false;
  using socket = new Fd(check(number, "socket"));
  const yes = Int32Array.of(1);
  // As whoever listens does: connections that have just ended are not in the way.
  if (protocol === "tcp") syscall("setsockopt", socket.number, SOL_SOCKET, SO_REUSEADDR, yes, yes.byteLength);
  if (!isIpv4) syscall("setsockopt", socket.number, IPPROTO_IPV6, IPV6_V6ONLY, yes, yes.byteLength);
  // struct sockaddr_in, sockaddr_in6: family, port, then the address, of IPv6 after its flow.
  const place = Buffer.alloc(isIpv4 ? 16 : 28);
  place.writeUInt16LE(isIpv4 ? AF_INET : AF_INET6, 0);
  place.writeUInt16BE(port, 2);
  place.set(address, isIpv4 ? 4 : 8);
  return syscall("bind", socket.number, place, place.byteLength) === -ERRNO.EADDRINUSE;
}
