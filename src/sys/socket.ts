/** UNIX sockets: pairs of them, connecting by path, messages with file descriptors. */
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const EINTR = 4;

/** The most descriptors that one message carries here; the kernel's limit is 253. */
const MAX_FDS = 64;
const CMSG_HEADER = 16;

/** Makes a connected pair of `SOCK_SEQPACKET` sockets, close-on-exec. @see socketpair(2) */
export function socketpair(): [Fd, Fd] {
  const pair = new Int32Array(2);
  check(syscall("socketpair", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
  return [new Fd(pair[0] as number), new Fd(pair[1] as number)];
}

/**
 * Connects to a stream socket by path.
 * @throws {SyscallError} `connect to <path>`
 * @throws {Error} when the path is longer than a socket address holds (107 bytes)
 * @see unix(7)
 */
export function connect(path: string): Fd {
  return withAddress("connect", SOCK_STREAM, path);
}

/** Makes a datagram socket at a path. @throws {SyscallError} `bind to <path>` */
export function bindDatagramSocket(path: string): Fd {
  return withAddress("bind", SOCK_DGRAM, path);
}

/**
 * Sends one datagram, with descriptors if any, to the socket at a path.
 * @throws {SyscallError} `connect to <path>`, `sendmsg`
 */
export function sendDatagram(path: string, text: string, fds: readonly number[] = []): void {
  using socket = withAddress("connect", SOCK_DGRAM, path);
  sendMessage(socket.number, Buffer.from(text), fds);
}

function withAddress(call: "bind" | "connect", type: number, path: string): Fd {
  const name = Buffer.from(path.replace(/^@/, "\0")); // the abstract namespace, as systemd writes it
  if (name.length > 107) throw new Error(`socket path ${path} is longer than the 107 bytes that unix(7) allows`);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const fd = new Fd(check(syscall("socket", AF_UNIX, type | SOCK_CLOEXEC, 0), "socket"));
  const result = syscall(call, fd.number, address, 2 + name.length + (name[0] === 0 ? 0 : 1));
  if (result < 0) fd.close();
  check(result, () => `${call} to ${path}`);
  return fd;
}

/**
 * Sends one message, with descriptors if any.
 * @throws {SyscallError} `sendmsg`; EPIPE when the other end is gone (no SIGPIPE)
 * @see sendmsg(2), unix(7)
 */
export function sendMessage(socket: number, payload: Uint8Array, fds: readonly number[] = []): void {
  const iov = new BigUint64Array([addressOf(payload), BigInt(payload.byteLength)]);
  const control = Buffer.alloc(fds.length === 0 ? 0 : Math.ceil((CMSG_HEADER + 4 * fds.length) / 8) * 8);
  if (fds.length > 0) {
    control.writeBigUInt64LE(BigInt(CMSG_HEADER + 4 * fds.length), 0);
    control.writeInt32LE(SOL_SOCKET, 8);
    control.writeInt32LE(SCM_RIGHTS, 12);
    fds.forEach((fd, index) => void control.writeInt32LE(fd, CMSG_HEADER + 4 * index));
  }
  const header = messageHeader(iov, control);
  let result: number;
  do result = syscall("sendmsg", socket, header, MSG_NOSIGNAL);
  while (result === -EINTR);
  check(result, "sendmsg");
}

/** A message received: its bytes, and the descriptors that came along, already close-on-exec. */
export interface Message {
  payload: Buffer;
  fds: Fd[];
}

/**
 * Waits for one message.
 * @param maxBytes longest message to accept
 * @returns `null` at the end of the stream: the other end is closed or dead
 * @throws {SyscallError} `recvmsg`
 */
export function receiveMessage(socket: number, maxBytes = 65536): Message | null {
  const payload = Buffer.allocUnsafeSlow(maxBytes); // only what is received is handed on
  const iov = new BigUint64Array([addressOf(payload), BigInt(maxBytes)]);
  const control = Buffer.alloc(CMSG_HEADER + 4 * MAX_FDS);
  const header = messageHeader(iov, control);
  let length: number;
  do length = syscall("recvmsg", socket, header, MSG_CMSG_CLOEXEC);
  while (length === -EINTR);
  const ECONNRESET = 104;
  if (length === -ECONNRESET) return null;
  check(length, "recvmsg");
  const fds: Fd[] = [];
  const controlLength = Number(header[5]);
  if (controlLength >= CMSG_HEADER && control.readInt32LE(12) === SCM_RIGHTS) {
    const end = Number(control.readBigUInt64LE(0));
    for (let at = CMSG_HEADER; at + 4 <= end; at += 4) fds.push(new Fd(control.readInt32LE(at)));
  }
  if (length === 0 && fds.length === 0) return null;
  return { payload: payload.subarray(0, length), fds };
}

/** struct msghdr on a 64-bit machine: name, namelen, iov, iovlen, control, controllen, flags. */
function messageHeader(iov: BigUint64Array, control: Buffer): BigUint64Array {
  return new BigUint64Array([0n, 0n, addressOf(iov), 1n, addressOf(control), BigInt(control.byteLength), 0n]);
}
