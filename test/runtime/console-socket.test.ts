import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { checkTerminal, connectTo, sendMaster, sendPidfd } from "../../src/runtime/console-socket.ts";
import { mustSyscall } from "../../src/sys/error.ts";
import { Fd, O, open } from "../../src/sys/fd.ts";
import { pidfdOpen } from "../../src/sys/process.ts";
import { receiveMessage } from "../../src/sys/socket.ts";
import { decode } from "../../src/sys/text.ts";

const directory = mkdtempSync(join(tmpdir(), "tsrunc-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A listening stream socket at a path. */
function listen(path: string): Fd {
  const AF_UNIX = 1;
  const SOCK_STREAM = 1;
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX, 0);
  address.write(path, 2);
  const socket = new Fd(mustSyscall("socket", AF_UNIX, SOCK_STREAM | O.CLOEXEC, 0));
  mustSyscall("bind", socket.number, address, 3 + path.length);
  mustSyscall("listen", socket.number, 1);
  return socket;
}

describe("checkTerminal", () => {
  const without = "cannot allocate tty if runc will detach without setting console socket";
  const needless = "cannot use console socket if runc will not detach or allocate tty";
  const consoleSocket = "/run/console.sock";
  for (const [terminal, detach, socket, refusal] of [
    [false, false, undefined, null],
    [true, false, undefined, null],
    [false, true, undefined, null],
    [true, true, undefined, without],
    [true, true, "", without],
    [true, true, consoleSocket, null],
    [true, false, consoleSocket, needless],
    [false, true, consoleSocket, needless],
    [false, false, consoleSocket, needless],
  ] as const) {
    const given = `terminal ${terminal}, detach ${detach}, console socket ${JSON.stringify(socket) ?? "none"}`;
    test(`${refusal === null ? "allows" : "refuses"} ${given}`, () => {
      const check = () => checkTerminal({ terminal, detach, consoleSocket: socket });
      if (refusal === null) expect(check).not.toThrow();
      else expect(check).toThrow(refusal);
    });
  }
});

describe("connectTo", () => {
  test("says that there is no socket", () => {
    const path = join(directory, "none");
    expect(() => connectTo("--console-socket", path)).toThrow(`--console-socket ${path}: there is no such socket`);
  });

  test("waits for one whose listener has been started a moment ago", async () => {
    const path = join(directory, "late");
    const early = join(directory, "early");
    using _listener = listen(early);
    // In a thread that runs already: to start a program may take longer than is waited.
    const code = `const { parentPort, workerData: [from, to] } = require("node:worker_threads");
      parentPort.on("message", () => setTimeout(() => require("node:fs").renameSync(from, to), 30));
      parentPort.postMessage("ready");`;
    const worker = new Worker(code, { eval: true, workerData: [early, path] });
    await once(worker, "message");
    worker.postMessage("go");
    connectTo("--console-socket", path).close();
    await worker.terminate();
  });

  test("says that the file is no socket", () => {
    const path = join(directory, "file");
    writeFileSync(path, "");
    expect(() => connectTo("--pidfd-socket", path)).toThrow(`--pidfd-socket ${path}: this is not a socket`);
  });

  test("says that nobody listens", () => {
    const path = join(directory, "dead");
    listen(path).close();
    expect(() => connectTo("--console-socket", path)).toThrow(
      `--console-socket ${path}: nobody listens on this socket`,
    );
  });
});

describe("what goes over the sockets", () => {
  function exchange(name: string, send: (socket: Fd) => void): { text: string; fds: Fd[] } {
    const path = join(directory, name);
    using listening = listen(path);
    using ours = connectTo("--console-socket", path);
    send(ours);
    using theirs = new Fd(mustSyscall("accept4", listening.number, 0, 0, O.CLOEXEC));
    const message = receiveMessage(theirs.number, 4096);
    return { text: message === null ? "" : decode(message.payload), fds: message?.fds ?? [] };
  }

  test("is the master, with a name for it", () => {
    using master = open("/dev/zero", O.RDWR);
    const { text, fds } = exchange("console", (socket) => sendMaster(socket, master));
    expect(text).toBe("/dev/ptmx");
    expect(fds.map((fd) => statSync(fd.procPath).rdev)).toEqual([statSync("/dev/zero").rdev]);
  });

  for (const [process_, name] of [
    ["init", "standard"],
    ["exec", "setns"],
  ] as const) {
    test(`is a pidfd, called ${name} for ${process_}`, () => {
      using pidfd = pidfdOpen(process.pid);
      const { text, fds } = exchange(name, (socket) => sendPidfd("--pidfd-socket", socket, pidfd, process_));
      expect(text).toBe(name);
      expect(fds).toHaveLength(1);
    });
  }

  test("is refused in words that name the option, where whoever listened is gone", () => {
    const path = join(directory, "gone");
    const listening = listen(path);
    using ours = connectTo("--console-socket", path);
    new Fd(mustSyscall("accept4", listening.number, 0, 0, O.CLOEXEC)).close();
    listening.close();
    using fd = open("/dev/zero", O.RDWR);
    const gone = "whoever listened has closed the connection";
    expect(() => sendMaster(ours, fd)).toThrow(`--console-socket: ${gone}`);
    expect(() => sendPidfd("run.oci.pidfd_receiver", ours, fd, "init")).toThrow(`run.oci.pidfd_receiver: ${gone}`);
  });
});
