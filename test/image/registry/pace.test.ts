import { expect, test } from "vitest";
import { atPace, PaceError } from "../../../src/image/registry/pace.ts";

const PATIENCE = 200;
const ENOUGH = Math.ceil((1024 * PATIENCE) / 1000);

async function* every(milliseconds: number, size: number, count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index++) {
    await new Promise((settle) => setTimeout(settle, milliseconds));
    yield new Uint8Array(size);
  }
}

async function size(chunks: AsyncIterable<Uint8Array>, pause = 0): Promise<number> {
  let sum = 0;
  for await (const { byteLength } of chunks) {
    sum += byteLength;
    if (pause > 0) await new Promise((settle) => setTimeout(settle, pause));
  }
  return sum;
}

test("what comes fast enough is passed on, however long it takes", async () => {
  expect(await size(atPace(every(20, ENOUGH, 15), PATIENCE))).toBe(15 * ENOUGH);
});

test("the time of whoever takes it does not count", async () => {
  expect(await size(atPace(every(1, 1, 3), PATIENCE), PATIENCE)).toBe(3);
});

test("a short one may be slow, to its end", async () => {
  expect(await size(atPace(every(1, 1, 5), PATIENCE))).toBe(5);
});

test("a drop now and then is too slow, and so is nothing", async () => {
  await expect(size(atPace(every(20, 1, 1000), PATIENCE))).rejects.toThrow(
    /^no more than \d+ bytes? ha(s|ve) come in 0.2 seconds$/,
  );
  await expect(size(atPace(every(1e6, 1, 1), PATIENCE))).rejects.toThrow(new PaceError(0, PATIENCE));
  expect(new PaceError(0, 1000).message).toBe("nothing has come for 1 second");
});

test("the source is told when nobody wants more of it", async () => {
  let isTold = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield new Uint8Array(1);
    } finally {
      isTold = true;
    }
  }
  for await (const _ of atPace(source(), PATIENCE)) break;
  expect(isTold).toBe(true);
});
