/** UNIX sockets: pairs of them, connecting by path, messages with file descriptors. */

import { ERRNO } from "./errno.ts";
import { check, SyscallError } from "./error.ts";
import { Fd, O, open } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";
import { basename, dirname } from "./path-names.ts";
import { POLL, poll } from "./poll.ts";
import { encode } from "./text.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDTIMEO = 21;
const SCM_RIGHTS = 1;
const MSG_PEEK = 2;
const MSG_CTRUNC = 8;
const MSG_TRUNC = 0x20;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const { ECONNRESET, EINTR } = ERRNO;

/** The most descriptors that one message carries here; the kernel's limit is 253. */
const MAX_FDS = 64;
const CMSG_HEADER = 16;
const CMSG_WORDS = CMSG_HEADER / 4;

/** How long another program may take before it accepts a connection, or reads so that there is room for a message, in milliseconds. */
const PATIENCE = 10_000;

/** Makes a connected pair of `SOCK_SEQPACKET` sockets, close-on-exec. @see socketpair(2) */
export function socketpair(): [Fd, Fd] {
  const pair = new Int32Array(2);
  check(syscall("socketpair", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
  return [new Fd(pair[0] as number), new Fd(pair[1] as number)];
}

/**
 * Connects to a stream socket by path. Neither that nor a message sent to it later waits for ever.
 * @param patience how long each may wait for the other end, in milliseconds
 * @throws {SyscallError} `connect to <path>`; EAGAIN when nobody has accepted in time
 * @throws {Error} for a name in the abstract namespace that is longer than a socket address holds (107 bytes)
 * @see unix(7)
 */
export function connect(path: string, patience = PATIENCE): Fd {
  return withAddress("connect", SOCK_STREAM, path, patience);
}

/** Makes a datagram socket at a path. @throws {SyscallError} `bind to <path>` */
export function bindDatagramSocket(path: string): Fd {
  return withAddress("bind", SOCK_DGRAM, path);
}

/** Makes a stream socket at a path, to which others connect. @throws {SyscallError} `bind to <path>`, `listen` */
export function listenAt(path: string): Fd {
  const socket = withAddress("bind", SOCK_STREAM, path);
  check(syscall("listen", socket.number, 1), () => `listen at ${path}`);
  return socket;
}

/** Waits for who connects. @throws {SyscallError} `accept` */
export function accept(socket: Fd): Fd {
  return new Fd(
    check(
      untilDone(() => syscall("accept4", socket.number, null, null, SOCK_CLOEXEC)),
      "accept",
    ),
  );
}

/**
 * Sends one datagram, with descriptors if any, to the socket at a path.
 * @throws {SyscallError} `connect to <path>`, `sendmsg`; EAGAIN when nobody has read in time
 */
export function sendDatagram(path: string, text: string, fds: readonly number[] = []): void {
  using socket = withAddress("connect", SOCK_DGRAM, path);
  sendMessage(socket.number, encode(text), fds);
}

/** The most bytes of a path that a socket address holds. @see unix(7) */
const MAX_PATH = 107;

function withAddress(call: "bind" | "connect", type: number, path: string, patience = PATIENCE): Fd {
  using short = shortPath(call, path);
  const name = encode(short.path.replace(/^@/, "\0")); // the abstract namespace, as systemd writes it
  if (name.length > MAX_PATH) throw new Error(`the last name of ${path} is longer than unix(7) allows`);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.set(name, 2);
  const fd = new Fd(check(syscall("socket", AF_UNIX, type | SOCK_CLOEXEC, 0), "socket"));
  // For connect(2), too: its wait for a place in the queue of who listens. socket(7)
  const timeout = BigInt64Array.of(BigInt(Math.floor(patience / 1000)), BigInt(patience % 1000) * 1000n);
  if (call === "connect") syscall("setsockopt", fd.number, SOL_SOCKET, SO_SNDTIMEO, timeout, timeout.byteLength);
  const result = syscall(call, fd.number, address, 2 + name.length + (name[0] === 0 ? 0 : 1));
  if (result < 0) fd.close();
  check(result, () => `${call} to ${path}`);
  return fd;
}

/**
 * A path that a socket address holds, for as long as this is not disposed of: a long one by a descriptor of the socket, or of the directory
 * where it is to be.
 * @throws {SyscallError} `open`
 * @throws {Error} for an abstract name, to which no descriptor leads
 */
function shortPath(call: "bind" | "connect", path: string): { path: string } & Disposable {
  if (encode(path).length <= MAX_PATH) return { path, [Symbol.dispose]() {} };
  if (path.startsWith("@"))
    throw new Error(`socket name ${path} is longer than the ${MAX_PATH} bytes that unix(7) allows`);
  const fd = open(call === "connect" ? path : dirname(path), O.PATH);
  const shown = call === "connect" ? fd.procPath : `${fd.procPath}/${basename(path)}`;
  return { path: shown, [Symbol.dispose]: () => fd.close() };
}

/**
 * Sends one message, with descriptors if any.
 * @throws {SyscallError} `sendmsg`; EPIPE when the other end is gone (no SIGPIPE)
 * @see sendmsg(2), unix(7)
 */
export function sendMessage(socket: number, payload: Uint8Array, fds: readonly number[] = []): void {
  // struct cmsghdr, in words: the length with this header, of which the upper half is 0; level; type; then the descriptors
  const control = new Int32Array(fds.length === 0 ? 0 : CMSG_WORDS + 2 * Math.ceil(fds.length / 2));
  if (fds.length > 0) control.set([CMSG_HEADER + 4 * fds.length, 0, SOL_SOCKET, SCM_RIGHTS, ...fds]);
  const header = messageHeader(payload, control);
  let result: number;
  do result = syscall("sendmsg", socket, header, MSG_NOSIGNAL);
  while (result === -EINTR);
  check(result, "sendmsg");
}

/** A message received: its bytes, and the descriptors that came along, already close-on-exec. */
export interface Message {
  payload: Uint8Array;
  fds: Fd[];
}

/**
 * Waits for one message.
 * @param maxBytes the longest one to accept; must be given for a stream, where messages have no length
 * @returns `null` at the end of the stream: the other end is closed or dead
 * @throws {SyscallError} `recvmsg`; `receive descriptors`: EMFILE when not all that came could be taken, and none is
 */
export function receiveMessage(socket: number, maxBytes?: number): Message | null {
  // Memory for as much as there is: more would be cleared for nothing.
  const bytes = maxBytes ?? untilDone(() => syscall("recvfrom", socket, null, 0, MSG_PEEK | MSG_TRUNC, null, null));
  const payload = new Uint8Array(bytes);
  const control = new Int32Array(CMSG_WORDS + MAX_FDS);
  const header = messageHeader(payload, control);
  const length = untilDone(() => syscall("recvmsg", socket, header, MSG_CMSG_CLOEXEC));
  const fds: Fd[] = [];
  const controlLength = Number(header[5]);
  if (controlLength >= CMSG_HEADER && control[3] === SCM_RIGHTS) {
    const end = (control[0] as number) >> 2;
    for (let at = CMSG_WORDS; at < end; at++) fds.push(new Fd(control[at] as number));
  }
  // The kernel drops what it has no number for here, and says nothing else of it.
  if ((Number(header[6]) & MSG_CTRUNC) !== 0) {
    for (const fd of fds) fd.close();
    throw new SyscallError("receive descriptors", ERRNO.EMFILE);
  }
  if (length === 0 && fds.length === 0) return null;
  return { payload: payload.subarray(0, length), fds };
}

/**
 * Waits for one message from somebody who is not trusted: descriptors that come with it are let go of by the kernel.
 * @throws {SyscallError} `recvfrom`
 */
export function receiveBytes(socket: number): Uint8Array {
  const bytes = untilDone(() => syscall("recvfrom", socket, null, 0, MSG_PEEK | MSG_TRUNC, null, null));
  const payload = new Uint8Array(bytes);
  return payload.subarray(
    0,
    untilDone(() => syscall("recvfrom", socket, payload, bytes, 0, null, null)),
  );
}

/** Whether the other end is closed or dead. @throws {SyscallError} `ppoll` @see poll(2), which tells of that unasked */
export function isHungUp(socket: number): boolean {
  return ((poll([{ fd: socket, events: 0 }], 0)[0] ?? 0) & POLL.HUP) !== 0;
}

/**
 * Receives. ECONNRESET is said once, before what there is to read, when the other end has gone and left something unread itself.
 * @throws {SyscallError} `recvmsg`
 */
function untilDone(receive: () => number): number {
  let length: number;
  do length = receive();
  while (length === -EINTR || length === -ECONNRESET);
  return check(length, "recvmsg");
}

/**
 * struct msghdr on a 64-bit machine: name, namelen, iov, iovlen, control, controllen, flags; and the struct iovec that it leads to behind
 * it: address, length.
 */
function messageHeader(payload: Uint8Array, control: Int32Array): BigUint64Array {
  const MSGHDR_WORDS = 7;
  const header = new BigUint64Array(MSGHDR_WORDS + 2);
  header[2] = addressOf(header) + BigInt(8 * MSGHDR_WORDS);
  header[3] = 1n;
  header[4] = addressOf(control);
  header[5] = BigInt(control.byteLength);
  header[MSGHDR_WORDS] = addressOf(payload);
  header[MSGHDR_WORDS + 1] = BigInt(payload.byteLength);
  return header;
}
