/**
 * Runs a program in the foreground as `tsrunc run` does with a container's process, without the container: a program for the
 * tests, since forking needs a process of one thread.
 *
 * Arguments: `stdio`, `pty`, or `console` (a terminal that is also bound on /dev/console), and the program with its
 * arguments. In the environment: SIGNAL_BEFORE, a signal that it gets before it supervises anything; HIDE_PROC, set to
 * take the process's /proc away before it gets its terminal.
 */
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import type { InitContext } from "../../src/init/context.ts";
import { terminalHandlers } from "../../src/init/terminal.ts";
import { prepareForeground, prepareTerminal, superviseForeground } from "../../src/runtime/foreground.ts";
import { mustSyscall } from "../../src/sys/error.ts";
import type { Fd } from "../../src/sys/fd.ts";
import { execve, exit, exitCode, fork, pidfdOpen, prctl, sendSignal } from "../../src/sys/process.ts";
import { resetSignalHandlers, setSignalMask } from "../../src/sys/signal.ts";
import { socketpair } from "../../src/sys/socket.ts";

const [, , how, ...program] = process.argv;
prctl("SET_CHILD_SUBREAPER", 1);
const signals = prepareForeground();
const [ours, theirs] = socketpair();
const pid = fork();
if (pid === 0) child();
theirs.close();

const channel = new Channel<ParentMessage, InitMessage>(ours);
const master = how === "stdio" ? null : terminalOf(channel);
if (master !== null) prepareTerminal(master);
if (process.env.SIGNAL_BEFORE !== undefined) sendSignal(process.pid, Number(process.env.SIGNAL_BEFORE));
channel.send({ type: "go" });
const log = { tracing: false, debug() {}, info() {}, warn: (message: string) => console.error(message), release() {} };
const status = superviseForeground({ pid, pidfd: pidfdOpen(pid), signals, master, log });
exit(exitCode(status));

function terminalOf(channel: Channel<ParentMessage, InitMessage>): Fd {
  const received = channel.receive();
  if (received?.message.type === "terminal") return received.fds[0] as Fd;
  console.error(received?.message.type === "error" ? received.message.message : "no terminal");
  exit(126);
}

function child(): never {
  const channel = new Channel<InitMessage, ParentMessage>(theirs);
  try {
    mustSyscall("setsid");
    if (process.env.HIDE_PROC !== undefined) hideProc();
    const consoleSize = { height: 11, width: 22 };
    const bindConsole = how === "console";
    if (how !== "stdio") {
      terminalHandlers["open-terminal"]({ kind: "open-terminal", consoleSize, bindConsole }, {
        channel,
      } as InitContext);
    }
    channel.receive();
    resetSignalHandlers();
    setSignalMask();
    execve(
      program[0] as string,
      program,
      Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
    );
  } catch (error) {
    channel.send({ type: "error", message: (error as Error).message });
  }
  exit(127);
}

function hideProc(): void {
  const CLONE_NEWNS = 0x20000;
  mustSyscall("unshare", CLONE_NEWNS);
  mustSyscall("mount", "none", "/proc", "tmpfs", 0, null);
}
