/** Network devices and their addresses, by rtnetlink. @see rtnetlink(7), netlink(7) */
import { check, mustSyscall, SyscallError } from "./error.ts";
import { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22 } as const;
const NLM_F = { REQUEST: 1, ACK: 4, EXCL: 0x200, DUMP: 0x300, CREATE: 0x400 } as const;

const IFLA = { IFNAME: 3, NET_NS_FD: 28 } as const;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFF_UP = 1;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;

/** Sizes of nlmsghdr, ifinfomsg and ifaddrmsg, and of an attribute's header. */
const HEADER = 16;
const LINK = 16;
const ADDRESS = 8;
const ATTRIBUTE = 4;

/** An address of a network device. */
export interface NetworkAddress {
  /** `AF_INET` or `AF_INET6`. */
  family: number;
  prefixLength: number;
  /** 4 or 16 bytes. */
  bytes: Uint8Array;
  /** Without a lifetime: not from an autoconfiguration. */
  permanent: boolean;
  /** Valid everywhere: not on this link or host only. */
  global: boolean;
}

/** Opens a socket to the network namespace that this process is in. @throws {SyscallError} */
export function openRoute(): RouteSocket {
  return new RouteSocket(
    new Fd(check(syscall("socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "open a netlink socket")),
  );
}

/** A conversation with the kernel about the devices of one network namespace. */
export class RouteSocket implements Disposable {
  readonly #socket: Fd;
  #sequence = 0;

  constructor(socket: Fd) {
    this.#socket = socket;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  /** The index of a device. @throws {SyscallError} `find the network device <name>`, ENODEV */
  linkIndex(name: string): number {
    const what = `find the network device ${name}`;
    const [reply] = this.#ask(RTM.GETLINK, 0, [linkMessage(0), attribute(IFLA.IFNAME, cString(name))], what);
    if (reply === undefined) throw new Error(`${what}: the kernel gave no answer`);
    return reply.readInt32LE(4);
  }

  /** The indexes of all devices. @throws {SyscallError} */
  linkIndexes(): number[] {
    const replies = this.#ask(RTM.GETLINK, NLM_F.DUMP, [linkMessage(0)], "list the network devices");
    return replies.map((reply) => reply.readInt32LE(4));
  }

  /** Whether a device is up, as its administrator has set it. @throws {SyscallError} */
  linkState(index: number): "up" | "down" {
    const what = `look at the network device ${index}`;
    const [reply] = this.#ask(RTM.GETLINK, 0, [linkMessage(index)], what);
    if (reply === undefined) throw new Error(`${what}: the kernel gave no answer`);
    return (reply.readUInt32LE(8) & IFF_UP) === 0 ? "down" : "up";
  }

  /** Sets a device up or down. @throws {SyscallError} */
  setLinkState(index: number, state: "up" | "down"): void {
    this.#ask(
      RTM.NEWLINK,
      NLM_F.ACK,
      [linkMessage(index, state === "up" ? IFF_UP : 0, IFF_UP)],
      `set the network device ${index} ${state}`,
    );
  }

  /**
   * Moves a device to another network namespace.
   * @param newName its name there, in which the kernel puts the first number that is free for `%d`
   * @param namespace its descriptor
   * @throws {SyscallError}
   */
  moveLink(index: number, newName: string, namespace: number): void {
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(namespace);
    const parts = [linkMessage(index), attribute(IFLA.IFNAME, cString(newName)), attribute(IFLA.NET_NS_FD, fd)];
    this.#ask(RTM.NEWLINK, NLM_F.ACK, parts, `move the network device ${index} to the container as ${newName}`);
  }

  /** The addresses of a device. @throws {SyscallError} */
  addresses(index: number): NetworkAddress[] {
    const replies = this.#ask(
      RTM.GETADDR,
      NLM_F.DUMP,
      [Buffer.alloc(ADDRESS)],
      "list the addresses of network devices",
    );
    return replies.filter((reply) => reply.readUInt32LE(4) === index).map(parseAddress);
  }

  /** Gives a device an address. @throws {SyscallError} */
  addAddress(index: number, { family, prefixLength, bytes }: NetworkAddress): void {
    const message = Buffer.alloc(ADDRESS);
    message.set([family, prefixLength, 0, RT_SCOPE_UNIVERSE]);
    message.writeUInt32LE(index, 4);
    const parts = [message, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes)];
    if (family === AF_INET && prefixLength < 31) parts.push(attribute(IFA.BROADCAST, broadcast(bytes, prefixLength)));
    const what = `add the address ${addressText(bytes)}/${prefixLength} to the network device ${index}`;
    this.#ask(RTM.NEWADDR, NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL, parts, what);
  }

  /** Sends a request and collects the answers, without their headers, until the one that ends it. */
  #ask(type: number, flags: number, parts: readonly Uint8Array[], what: string): Buffer[] {
    const body = Buffer.concat(parts);
    const request = Buffer.alloc(HEADER + body.length);
    const sequence = ++this.#sequence;
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(type, 4);
    request.writeUInt16LE(NLM_F.REQUEST | flags, 6);
    request.writeUInt32LE(sequence, 8);
    body.copy(request, HEADER);
    mustSyscall("sendto", this.#socket.number, request, request.length, 0, 0, 0);
    return this.#collect(sequence, flags, what);
  }

  #collect(sequence: number, flags: number, what: string): Buffer[] {
    const answers: Buffer[] = [];
    const memory = Buffer.allocUnsafe(65536);
    for (;;) {
      const length = mustSyscall("recvfrom", this.#socket.number, memory, memory.length, 0, 0, 0);
      for (const { type, sequence: of, body } of messages(memory.subarray(0, length))) {
        if (of !== sequence) continue;
        if (type === NLMSG_ERROR || type === NLMSG_DONE) {
          const errno = body.length >= 4 ? -body.readInt32LE(0) : 0;
          if (errno > 0) throw new SyscallError(what, errno);
          return answers;
        }
        answers.push(Buffer.from(body));
      }
      if (answers.length > 0 && (flags & (NLM_F.ACK | NLM_F.DUMP)) === 0) return answers;
    }
  }
}

function* messages(memory: Buffer): Generator<{ type: number; sequence: number; body: Buffer }> {
  for (let at = 0; at + HEADER <= memory.length; ) {
    const length = memory.readUInt32LE(at);
    if (length < HEADER) return;
    const body = memory.subarray(at + HEADER, at + length);
    yield { type: memory.readUInt16LE(at + 4), sequence: memory.readUInt32LE(at + 8), body };
    at += align(length);
  }
}

/** struct ifinfomsg: family, type, index, flags, and which of the flags to change. */
function linkMessage(index: number, flags = 0, change = 0): Buffer {
  const message = Buffer.alloc(LINK);
  message.writeUInt8(AF_UNSPEC, 0);
  message.writeInt32LE(index, 4);
  message.writeUInt32LE(flags, 8);
  message.writeUInt32LE(change, 12);
  return message;
}

function attribute(type: number, value: Uint8Array): Buffer {
  const memory = Buffer.alloc(align(ATTRIBUTE + value.length));
  memory.writeUInt16LE(ATTRIBUTE + value.length, 0);
  memory.writeUInt16LE(type, 2);
  memory.set(value, ATTRIBUTE);
  return memory;
}

function attributes(memory: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + ATTRIBUTE <= memory.length; ) {
    const length = memory.readUInt16LE(at);
    if (length < ATTRIBUTE) break;
    found.set(memory.readUInt16LE(at + 2), memory.subarray(at + ATTRIBUTE, at + length));
    at += align(length);
  }
  return found;
}

/** Parses a struct ifaddrmsg with its attributes. */
function parseAddress(message: Buffer): NetworkAddress {
  const found = attributes(message.subarray(ADDRESS));
  // The local end is the address; on a point-to-point device IFA_ADDRESS is the other end's.
  const bytes = found.get(IFA.LOCAL) ?? found.get(IFA.ADDRESS) ?? Buffer.alloc(0);
  const flags = found.get(IFA.FLAGS)?.readUInt32LE(0) ?? message.readUInt8(2);
  return {
    family: message.readUInt8(0),
    prefixLength: message.readUInt8(1),
    bytes,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    global: message.readUInt8(3) === RT_SCOPE_UNIVERSE,
  };
}

function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/(....)(?=.)/g, "$1:");
}

/** The address with all bits after the prefix set. */
function broadcast(bytes: Uint8Array, prefixLength: number): Uint8Array {
  return bytes.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, prefixLength - 8 * index))));
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
