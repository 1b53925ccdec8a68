/** The loopback device of a network namespace. */

import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { encode } from "./text.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/**
 * Sets the device `lo` of this network namespace up.
 * @throws {SyscallError} `set the device lo up`
 * @see netdevice(7)
 */
export function setLoopbackUp(): void {
  using socket = new Fd(check(syscall("socket", AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  const request = new Uint8Array(40); // struct ifreq: 16 bytes of name, then the flags
  request.set(encode("lo"));
  // The kernel leaves alone those of its other flags that cannot be set; no other that can is set on lo.
  request[16] = IFF_UP;
  check(syscall("ioctl", socket.number, SIOCSIFFLAGS, request), "set the device lo up");
}
