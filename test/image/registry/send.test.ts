/** What is sent to a server that takes its time. */

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { exchange } from "../../../src/image/registry/http.ts";
import { slowness } from "../../support/patience.ts";

/** Milliseconds: a fifth of 1024 bytes has to be taken meanwhile. */
const PATIENCE = 200 * slowness;
const SECONDS = PATIENCE / 1000;
/** More than the kernel keeps for a server that does not read. */
const LARGE = 32 << 20;

let server: Server | undefined;
const open = new Set<Socket>();

afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  await new Promise((settle) => server?.close(settle));
});

/** @param serve what becomes of a connection, from which nothing is read yet @returns the port */
async function listen(serve: (socket: Socket) => void): Promise<number> {
  server = createServer({ pauseOnConnect: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  await new Promise<void>((settle) => server?.listen(0, "127.0.0.1", settle));
  return (server.address() as AddressInfo).port;
}

function put(port: number, size: number, patience = PATIENCE): Promise<{ status: number }> {
  return exchange({
    method: "PUT",
    url: new URL(`http://127.0.0.1:${port}/`),
    tls: { verify: true },
    patience,
    body: {
      size,
      *stream() {
        for (let at = 0; at < size; at += 65536) yield new Uint8Array(Math.min(65536, size - at));
      },
    },
  });
}

/** Reads all, so many bytes a second, and answers. */
function readSlowly(socket: Socket, size: number, rate: number): void {
  let come = 0;
  socket.on("data", (bytes: Uint8Array) => {
    come += bytes.byteLength;
    if (come >= size) return void socket.end("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");
    socket.pause();
    setTimeout(() => socket.resume(), (1000 * bytes.byteLength) / rate);
  });
  socket.resume();
}

test("a server that takes nothing any more is given up, however much there is to send", async () => {
  const port = await listen(() => {});
  const began = Date.now();
  await expect(put(port, LARGE)).rejects.toThrow(
    new RegExp(`(nothing has|no more than \\d+ bytes have) been taken (for|in) ${SECONDS} seconds`),
  );
  expect(Date.now() - began).toBeLessThan(10 * PATIENCE);
});

test("one that has taken all and says nothing is, too", async () => {
  await expect(put(await listen(() => {}), 1000)).rejects.toThrow(`nothing has come for ${SECONDS} seconds`);
});

test("one that takes enough is waited for, for many times the patience", async ({ skip }) => {
  // It takes so little at a time there that the kernel tells of it too seldom.
  if (slowness > 1) skip("needs a processor that is not emulated");
  // The last megabytes may have been taken by the kernel alone, into its buffer: the patience is more than the server takes for these.
  const [size, rate, patience] = [48 << 20, 12 << 20, 1000];
  const port = await listen((socket) => readSlowly(socket, size, rate));
  const began = Date.now();
  expect((await put(port, size, patience)).status).toBe(201);
  expect(Date.now() - began).toBeGreaterThan(3 * patience);
});

test("an answer before all was sent is heard", async () => {
  const port = await listen((socket) => void socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n"));
  expect((await put(port, LARGE, 5000 * slowness)).status).toBe(413);
});
