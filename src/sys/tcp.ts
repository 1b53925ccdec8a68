/** TCP connections, as the kernel sees them. @see tcp(7); linux/tcp.h, struct tcp_info */
import { syscall } from "./ffi.ts";

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** Of `tcpi_unacked`, `tcpi_bytes_acked` (Linux 4.1) and `tcpi_notsent_bytes` (4.6). */
const [UNACKED, BYTES_ACKED, NOT_SENT] = [24, 120, 144] as const;

/** What has become of the bytes that were written to a connection. */
export interface Sending {
  /** Bytes that the other side has taken since the connection began. */
  taken: number;
  /** Whether there are more that it has not. */
  isUnderway: boolean;
}

/** @returns `null` for a descriptor that is no TCP connection */
export function sendingOf(fd: number): Sending | null {
  const info = Buffer.alloc(256);
  const length = new Uint32Array([info.byteLength]);
  if (syscall("getsockopt", fd, IPPROTO_TCP, TCP_INFO, info, length) < 0 || (length[0] as number) < NOT_SENT + 4)
    return null;
  return {
    taken: Number(info.readBigUInt64LE(BYTES_ACKED)),
    isUnderway: info.readUInt32LE(UNACKED) > 0 || info.readUInt32LE(NOT_SENT) > 0,
  };
}
