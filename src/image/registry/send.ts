/** Sending the body of a request, as long as the other side takes it fast enough. */
import { once } from "node:events";
import type http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { monotonicTime } from "../../sys/clock.ts";
import { type Sending, sendingOf } from "../../sys/tcp.ts";
import { leastIn, PaceError } from "./pace.ts";

/** Bytes that can be sent again. */
export interface Body {
  size: number;
  stream(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** How many looks at the connection there are while patience lasts. */
const LOOKS = 20;

/**
 * Sends a body, and comes back when the other side has all of it, or has answered, or the connection has ended.
 * @param patience milliseconds
 * @param giveUp ends the connection, which is too slow
 * @throws {Error} where the body cannot be read
 */
export async function sendBody(
  outgoing: http.ClientRequest,
  body: Body,
  patience: number,
  giveUp: (error: PaceError) => void,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  outgoing.once("close", end).once("response", end);
  const giving = { isDone: false };
  const watching = watch(outgoing, giving, patience, ended.signal);
  watching.catch(giveUp);
  try {
    for await (const chunk of body.stream()) {
      if (outgoing.destroyed || outgoing.writableEnded) return end();
      if (!outgoing.write(chunk)) await drained(outgoing);
    }
  } catch (error) {
    end();
    throw error;
  }
  outgoing.end();
  giving.isDone = true;
  await watching.catch(() => {});
}

/** Until more may be written; also when a reply has come before all was sent. */
async function drained(outgoing: http.ClientRequest): Promise<void> {
  const ended = new AbortController();
  const events = ["drain", "close", "response"].map((event) => once(outgoing, event, { signal: ended.signal }));
  await Promise.race(events).catch(() => {});
  ended.abort();
  await Promise.allSettled(events);
}

/**
 * Looks at a connection until all that is given to it is taken. What counts is the time in which there is something to take, and what was
 * acknowledged: megabytes wait in the kernel, where nothing else tells how they fare.
 * @throws {PaceError}
 */
async function watch(
  outgoing: http.ClientRequest,
  giving: { isDone: boolean },
  patience: number,
  ended: AbortSignal,
): Promise<void> {
  let [waited, since] = [0, look(outgoing).taken];
  while (!ended.aborted) {
    const began = monotonicTime();
    await sleep(patience / LOOKS, undefined, { signal: ended }).catch(() => {});
    const { taken, isUnderway } = look(outgoing);
    if (isUnderway) waited += monotonicTime() - began;
    else if (giving.isDone) return;
    if (taken - since >= leastIn(patience)) [waited, since] = [0, taken];
    else if (waited >= patience && !ended.aborted) throw new PaceError(taken - since, patience, "taken");
  }
}

function look(outgoing: http.ClientRequest): Sending {
  const { socket } = outgoing;
  // Still to be connected.
  if (socket === null || socket.connecting) return { taken: 0, isUnderway: true };
  const { fd } = (socket as { _handle?: { fd?: number } })._handle ?? {};
  const isGiven = socket.writableLength === 0;
  const seen = fd === undefined ? null : sendingOf(fd);
  return seen === null
    ? { taken: socket.bytesWritten, isUnderway: !isGiven }
    : { taken: seen.taken, isUnderway: seen.isUnderway || !isGiven };
}
