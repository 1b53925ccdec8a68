/**
 * Runs a program as `tsrunc run` runs a container's process, without the container: for the tests of foreground.ts, which
 * cannot fork themselves. Arguments: `pty` or `stdio`, and the program with its arguments.
 */
import { Channel, type InitMessage, type ParentMessage } from "../../src/init/channel.ts";
import type { InitContext } from "../../src/init/context.ts";
import { terminalActors } from "../../src/init/terminal.ts";
import { prepareForeground, prepareTerminal, superviseForeground } from "../../src/runtime/foreground.ts";
import { mustSyscall } from "../../src/sys/error.ts";
import type { Fd } from "../../src/sys/fd.ts";
import { execve, exit, exitCode, fork, pidfdOpen } from "../../src/sys/process.ts";
import { resetSignalHandlers, setSignalMask } from "../../src/sys/signal.ts";
import { socketpair } from "../../src/sys/socket.ts";

const [, , how, ...program] = process.argv;
const signals = prepareForeground();
const [ours, theirs] = socketpair();
const pid = fork();
if (pid === 0) child();
theirs.close();

const channel = new Channel<ParentMessage, InitMessage>(ours);
const master = how === "pty" ? (channel.receive()?.fds[0] as Fd) : null;
if (master !== null) prepareTerminal(master);
channel.send({ type: "go" });
const log = { debug() {}, info() {}, warn: (message: string) => console.error(message) };
const status = superviseForeground({ pid, pidfd: pidfdOpen(pid), signals, master, log });
exit(exitCode(status));

function child(): never {
  try {
    mustSyscall("setsid");
    const context = { channel: new Channel<InitMessage, ParentMessage>(theirs) } as InitContext;
    const step = { kind: "open-terminal", consoleSize: { height: 11, width: 22 }, bindConsole: false } as const;
    if (how === "pty") terminalActors["open-terminal"](step, context);
    context.channel.receive();
    resetSignalHandlers();
    setSignalMask();
    const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
    execve(program[0] as string, program, environment);
  } catch (error) {
    console.error(error);
  }
  exit(127);
}
