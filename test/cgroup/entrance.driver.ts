/**
 * Forks a process through an entrance and prints the process's `/proc/<pid>/cgroup`. A program of its own, since only a
 * process of one thread may fork, and the test runner is none.
 */
import { readFileSync } from "node:fs";
import { openCgroup } from "../../src/cgroup/manager.ts";
import { parseSubCgroups } from "../../src/cgroup/sub-cgroups.ts";
import { Channel } from "../../src/init/channel.ts";
import { exit, sendSignal, waitPid } from "../../src/sys/process.ts";
import { socketpair } from "../../src/sys/socket.ts";

const { location, sub, initPid } = JSON.parse(process.argv[2] as string);
const [ours, theirs] = socketpair();
const channel = new Channel<{ type: string }, { type: string }>(ours);
const target = { sub: parseSubCgroups(sub), initPid };
const entrance = openCgroup(location).entrance(target);
const tasks = openCgroup(location).openTasks(target);
const pid = entrance.fork();
if (pid === 0) {
  const child = new Channel<{ type: string }, { type: string }>(theirs);
  try {
    tasks.enter();
    child.send({ type: "entered" });
    child.receive();
  } catch (error) {
    child.send({ type: (error as Error).message });
  }
  exit(0);
}
theirs.close();
const answer = channel.receive()?.message.type;
console.log(answer === "entered" ? readFileSync(`/proc/${pid}/cgroup`, "utf8") : answer);
sendSignal(pid, 9);
waitPid(pid);
