import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { Interruption } from "../../src/runtime/interruption.ts";
import { mustSyscall } from "../../src/sys/error.ts";
import { Fd, O } from "../../src/sys/fd.ts";
import { SIGNALS } from "../../src/sys/signal.ts";

/** A pipe that says when it is empty, as a signalfd does. */
function pipe(): { read: Fd; write: Fd } {
  const ends = new Int32Array(2);
  mustSyscall("pipe2", ends, O.CLOEXEC | O.NONBLOCK);
  return { read: new Fd(ends[0] as number), write: new Fd(ends[1] as number) };
}

/** With a signal that has come: a signalfd has it as a struct of 128 bytes, which begins with its number. */
function interrupted(): Interruption {
  const { read, write } = pipe();
  const info = new Uint32Array(32);
  info[0] = SIGNALS.SIGTERM;
  writeSync(write.number, info);
  return Reflect.construct(Interruption, [[], read]) as Interruption;
}

test("a request to end comes before what is not there to read yet", () => {
  const { read } = pipe();
  expect(() => interrupted().waitFor(read)).toThrow("interrupted by SIGTERM");
});

test("what is there to read comes before a request to end: the process may be the program by now", () => {
  const { read, write } = pipe();
  writeSync(write.number, "ready");
  const interruption = interrupted();
  expect(() => interruption.waitFor(read)).not.toThrow();
  expect(interruption.received()).toBe("interrupted by SIGTERM");
});
