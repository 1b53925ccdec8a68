/** How long `run --rm` of `true` takes under an engine, with both runtimes by turns. */
import type { HostName } from "./hosts.ts";
import type { Latency } from "./report.ts";
import type { Session } from "./session.ts";

const COMMANDS: Partial<Record<HostName, string>> = {
  podman: "podman run --rm busybox true",
  dockerd: "docker run --rm busybox true",
};
const ROUNDS = 6;
/** Of one round: entering the machine is then a small part. */
const RUNS = 3;

/** The medians of some rounds, in which the runtimes take turns: a busy moment should not be one's alone. */
export async function measureLatency(host: HostName, ours: Session, theirs: Session): Promise<Latency[]> {
  const command = COMMANDS[host];
  if (command === undefined) return [];
  const times: { tsrunc: number[]; runc: number[] } = { tsrunc: [], runc: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.tsrunc.push(await timeOf(ours, command));
    times.runc.push(await timeOf(theirs, command));
  }
  return [{ command, tsrunc: median(times.tsrunc), runc: median(times.runc) }];
}

/** Milliseconds of one run. */
async function timeOf({ machine }: Session, command: string): Promise<number> {
  const script = `for n in $(seq ${RUNS}); do ${command} || exit 1; done`;
  const { code, stdout, stderr } = await machine.run(`TIMEFORMAT=%R; time { ${script}; } 2>&1 > /dev/null`);
  const seconds = Number(stderr.trim().split("\n").at(-1));
  if (code !== 0 || Number.isNaN(seconds)) throw new Error(`${command}: ${stdout} ${stderr}`);
  return (seconds * 1000) / RUNS;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
