/**
 * Forks processes into the user namespace of another, for the test: arguments `<pid> <times>`. Each of them stops the helper
 * that forked it, if that is still on its way, speaks, and only then lets the helper tell of it. Prints what the parent hears.
 */
import { Entrance } from "../../src/cgroup/entrance.ts";
import { forkInto } from "../../src/runtime/fork.ts";
import { syscall } from "../../src/sys/ffi.ts";
import { poll } from "../../src/sys/poll.ts";
import { exit, pidfdOpen, waitPid } from "../../src/sys/process.ts";
import { SIGNALS } from "../../src/sys/signal.ts";

const [, , pid, times] = process.argv;
const MILLISECONDS = 20;
let helper = 0;

class RememberedFork extends Entrance {
  override fork(): number {
    const pid = super.fork();
    if (pid === 0) helper = syscall("getpid");
    return pid;
  }
}

const heard = new Map<string, number>();
using target = pidfdOpen(Number(pid));
for (let round = 0; round < Number(times); round++) {
  const words = forkAndListen();
  heard.set(words, (heard.get(words) ?? 0) + 1);
}
console.log(JSON.stringify(Object.fromEntries(heard)));

function forkAndListen(): string {
  try {
    const forked = forkInto(target, ["user"], new RememberedFork(null), (channel) => {
      syscall("kill", helper, SIGNALS.SIGSTOP);
      channel.send({ type: "ready" });
      poll([], MILLISECONDS);
      syscall("kill", helper, SIGNALS.SIGCONT);
      return exit(0);
    });
    const message = forked.channel.receive()?.message.type ?? "nothing";
    forked.channel.close();
    waitPid(forked.pid);
    return message;
  } catch (error) {
    return (error as Error).message;
  }
}
